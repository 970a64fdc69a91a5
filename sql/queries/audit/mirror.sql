-- answers: Which heads of the ledger does the database's own copy of the checkpoints hold, and do the rows agree?
-- privileges: SELECT on audit.ledger_checkpoints and audit.operator_ledger (wondernest_operator has both)
-- since: 15
-- cost: one scan of the checkpoints
SELECT
    c.seq,
    c.sink,
    c.written_at,
    l.seq IS NOT NULL AS row_exists,
    coalesce(l.h = c.h, false) AS row_agrees
FROM ONLY audit.ledger_checkpoints AS c
LEFT JOIN ONLY audit.operator_ledger AS l
    ON l.seq = c.seq
ORDER BY
    c.seq,
    c.sink;
