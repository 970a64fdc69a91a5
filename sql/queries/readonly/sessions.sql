-- answers: Which clients are connected to this database, since when, and which of them are writing?
-- privileges: pg_read_all_stats to see the sessions of other roles; of hidden ones only role and process are known
-- since: 15
-- cost: one look at pg_stat_activity
-- "writes" is whether a transaction of it has changed something and has not ended.
SELECT
    a.pid,
    coalesce(a.usename, '')::text AS role,
    coalesce(r.rolsuper, false) AS is_superuser,
    coalesce(a.application_name, '') AS application,
    coalesce(a.state, '') AS state,
    a.backend_start AS since,
    a.backend_xid IS NOT NULL AS writes,
    coalesce(a.query = '<insufficient privilege>', false) AS hidden
FROM pg_catalog.pg_stat_activity AS a
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = a.usesysid
WHERE a.datname = pg_catalog.current_database()
    AND a.pid <> pg_catalog.pg_backend_pid()
    AND coalesce(a.backend_type = 'client backend', a.usename IS NOT NULL)
ORDER BY
    a.backend_start,
    a.pid;
