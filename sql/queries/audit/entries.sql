-- answers: What are the newest entries of the operator ledger, one row an entry? (op_id or since empty: all)
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: index scan of at most "limit" rows
SELECT
    l.seq,
    l.ts,
    l.op_id,
    l.phase,
    l.envelope,
    l.payload,
    l.prev,
    l.h
FROM ONLY audit.operator_ledger AS l
WHERE (nullif(:'op_id', '') IS NULL OR l.op_id = nullif(:'op_id', '')::uuid)
    AND (nullif(:'since', '') IS NULL OR l.ts >= nullif(:'since', '')::timestamptz)
ORDER BY l.seq DESC
LIMIT nullif(:'limit', '')::bigint;
