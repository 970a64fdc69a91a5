-- answers: Which session holds the advisory lock under which Flyway and wnadmin migrate (its key is "key")?
-- privileges: none; user and start of another login's session need pg_read_all_stats
-- since: 15
-- cost: one look at pg_locks
SELECT
    l.pid,
    a.usename::text AS login,
    a.application_name,
    a.backend_start AS since
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = l.pid
WHERE l.locktype = 'advisory'
    AND l.granted
    AND l.objsubid = 1
    AND l.database = (
        SELECT d.oid
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = pg_catalog.current_database()
    )
    AND ((l.classid::bigint << 32) | l.objid::bigint) = :'key'::bigint
ORDER BY l.pid;
