-- answers: Which operations have an intent and no outcome after it? (the outcome may still be in a spool)
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: one scan of the ledger
SELECT
    i.op_id,
    max(i.seq) AS seq,
    max(i.ts) AS ts
FROM ONLY audit.operator_ledger AS i
WHERE i.phase = 'intent'
    AND NOT EXISTS (
        SELECT 1
        FROM ONLY audit.operator_ledger AS o
        WHERE o.op_id = i.op_id
            AND o.phase = 'outcome'
            AND o.seq > i.seq
    )
GROUP BY i.op_id
ORDER BY seq DESC;
