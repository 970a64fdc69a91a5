-- answers: Who holds locks on these relations, transactions and other things that are waited for?
-- privileges: none
-- since: 15
-- cost: one look at pg_locks
-- A row of a prepared transaction has no pid; its rows share a virtualtransaction, and one has its transaction id.
SELECT
    l.pid,
    l.virtualtransaction,
    l.mode,
    l.locktype,
    l.database::bigint AS database,
    l.relation::bigint AS relation,
    l.page,
    l.tuple,
    l.virtualxid,
    l.transactionid::text AS transactionid,
    l.classid::bigint AS classid,
    l.objid::bigint AS objid,
    l.objsubid
FROM pg_catalog.pg_locks AS l
WHERE l.granted
    AND (
        l.relation = ANY (:'relations'::oid[])
        OR l.transactionid::text = ANY (:'transactions'::text[])
        OR l.virtualxid = ANY (:'virtuals'::text[])
        OR (l.classid IS NOT NULL AND l.locktype = ANY (:'kinds'::text[]))
        -- The row that someone waits for who waits for a transaction.
        OR (l.locktype = 'tuple' AND l.pid = ANY (:'waiters'::integer[]))
        OR (l.locktype = 'transactionid' AND l.pid IS NULL)
    );
