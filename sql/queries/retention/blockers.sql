-- answers: Who holds the tables "tables", or is one of the transactions "transactions"?
-- privileges: none; what other logins do needs pg_read_all_stats
-- since: 15
-- cost: one look at pg_locks
-- Lists as arrays are written: {1,2}. A row that several sessions share shows no transaction of its own.
SELECT
    l.pid,
    coalesce(a.usename::text, '') AS login,
    coalesce(a.application_name, '') AS application_name,
    coalesce(a.state, '') AS state,
    a.xact_start AS since,
    coalesce(x.gid, '') AS prepared
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_prepared_xacts AS x
    ON l.pid IS NULL
    AND x.transaction = l.transactionid
WHERE l.granted
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND (
        l.locktype = 'transactionid'
        AND l.transactionid::text = ANY (:'transactions'::text[])
        OR l.locktype = 'relation'
        AND l.relation = ANY (:'tables'::oid[])
        AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        AND l.database = (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
    )
ORDER BY
    a.xact_start NULLS LAST,
    l.pid
LIMIT 5;
