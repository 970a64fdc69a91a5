-- answers: What are all entries of the newest operations of the ledger? (since empty: of any time)
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: index scan backwards until "limit" operations are found, then one index scan an operation
WITH newest AS (
    SELECT
        l.op_id,
        l.seq
    FROM ONLY audit.operator_ledger AS l
    WHERE l.phase IN ('intent', 'outcome', 'read', 'declined', 'dry_run', 'refused')
        AND (nullif(:'since', '') IS NULL OR l.ts >= nullif(:'since', '')::timestamptz)
    ORDER BY l.seq DESC
    -- An operation has at most two such entries, unless it was recorded again.
    LIMIT nullif(:'limit', '')::bigint * 2
)

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
WHERE l.op_id IN (SELECT n.op_id FROM newest AS n)
ORDER BY l.seq DESC;
