-- answers: Who holds a lock that the change of a partition has to wait for?
-- privileges: none; what other logins do needs pg_read_all_stats
-- since: 15
-- cost: one look at pg_locks
-- Lists of OIDs: "own" are tables locked against everybody, "writers" against writers, "shared" against other changes.
SELECT
    l.relation::regclass::text AS relation,
    l.mode,
    l.pid,
    coalesce(a.usename::text, '') AS login,
    coalesce(a.application_name, '') AS application_name,
    coalesce(a.backend_type, 'prepared transaction') AS backend_type,
    coalesce(a.state, '') AS state,
    a.xact_start
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = l.pid
WHERE l.locktype = 'relation'
    AND l.granted
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND l.database = (
        SELECT d.oid
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = pg_catalog.current_database()
    )
    AND (
        l.relation = ANY (:'own'::oid[])
        OR l.relation = ANY (:'writers'::oid[])
        AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
        OR l.relation = ANY (:'shared'::oid[])
        AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
    )
ORDER BY
    a.xact_start NULLS LAST,
    l.pid,
    l.relation;
