-- answers: Which processes wait for a lock, for which, since when, and who stands in their way?
-- privileges: none
-- since: 15
-- cost: one look at pg_locks, one pg_blocking_pids() for each process that waits
-- Parallel workers wait for themselves, and are answered for their whole group; pid 0 is a prepared transaction.
SELECT
    l.pid,
    pg_catalog.pg_blocking_pids(l.pid) AS blockers,
    l.mode,
    l.waitstart,
    pg_catalog.clock_timestamp() - l.waitstart AS waited,
    l.locktype,
    l.database::bigint AS database,
    l.relation::bigint AS relation,
    l.page,
    l.tuple,
    l.virtualxid,
    l.transactionid::text AS transactionid,
    l.classid::bigint AS classid,
    l.objid::bigint AS objid,
    l.objsubid,
    pg_catalog.pg_is_in_recovery() AS standby
FROM pg_catalog.pg_locks AS l
WHERE NOT l.granted;
