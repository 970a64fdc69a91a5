-- answers: Which transactions keep the detach of a partition from ending, as they may still see it?
-- privileges: none; what other logins do needs pg_read_all_stats
-- since: 15
-- cost: one look at pg_stat_activity
-- Only those that are older than "age"; who comes and goes is waited for.
SELECT
    a.pid,
    coalesce(a.usename::text, '') AS login,
    coalesce(a.application_name, '') AS application_name,
    a.backend_type,
    coalesce(a.state, '') AS state,
    a.xact_start
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
    AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.xact_start < pg_catalog.clock_timestamp() - :'age'::interval
ORDER BY a.xact_start;
