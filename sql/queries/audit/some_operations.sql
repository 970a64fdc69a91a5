-- answers: What are all entries of these operations? (op_ids: as '{uuid,uuid}')
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: one index scan an operation
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
WHERE l.op_id = ANY (:'op_ids'::uuid[])
ORDER BY l.seq DESC;
