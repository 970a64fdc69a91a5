-- answers: how many deadlocks does the server break within an hour, in which database?
-- title: Deadlocks
-- area: locks
-- unit: count
-- warn: > 2
-- critical: > 30
-- rate: hour
-- preset: nightly
-- privileges: none
-- since: 15
-- cost: one row a database
SELECT
    pg_catalog.format('database %I', s.datname) AS object,
    s.deadlocks::numeric AS measured,
    -- Where the counters were never reset they are at most as old as the cluster, whose identifier begins with its
    -- time of birth.
    coalesce(s.stats_reset, pg_catalog.to_timestamp((c.system_identifier >> 32)::double precision)) AS since,
    pg_catalog.format('deadlocks in %s', s.datname) AS detail,
    'Search the server log for "deadlock detected": it has both statements and what they locked.' AS fix
FROM pg_catalog.pg_stat_database AS s
CROSS JOIN pg_catalog.pg_control_system() AS c
WHERE s.datname IS NOT NULL
ORDER BY s.deadlocks DESC, s.datname <> pg_catalog.current_database() ASC
LIMIT 50;
