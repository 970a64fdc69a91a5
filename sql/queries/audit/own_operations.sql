-- answers: What are all entries of the newest operations that this login began? (op_ids as '{uuid,uuid}', or empty)
-- privileges: EXECUTE on audit.ledger_own (whoever may write the ledger has it)
-- since: 15
-- cost: one scan of the ledger, or one index scan an operation
SELECT
    l.seq,
    l.ts,
    l.op_id,
    l.phase,
    l.envelope,
    l.payload,
    l.prev,
    l.h
FROM audit.ledger_own(nullif(:'op_ids', '')::uuid[], nullif(:'limit', '')::integer) AS l
ORDER BY l.seq DESC;
