-- answers: Which rows of the operator ledger say that the database was restored, or which part of it is sealed?
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: one scan of the ledger
SELECT
    l.seq AS row,
    l.payload
FROM ONLY audit.operator_ledger AS l
WHERE l.phase IN ('outcome', 'checkpoint')
    AND (position('"restored_from":{' IN l.payload) > 0 OR position('"seal":{' IN l.payload) > 0)
ORDER BY l.seq;
