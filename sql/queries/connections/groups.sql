-- answers: Who holds the connections, counted by role, database, application and state?
-- privileges: none; pg_read_all_stats to see the state of other roles' sessions
-- since: 15
-- cost: one look at pg_stat_activity
-- "oldest" is the longest time that one of them has been in this state, "xact" the longest transaction among them.
SELECT
    a.usename::text AS role,
    a.datname::text AS database,
    a.application_name AS application,
    CASE WHEN a.state IS NULL AND a.query = '<insufficient privilege>' THEN 'hidden' ELSE a.state END AS state,
    count(*) AS sessions,
    pg_catalog.clock_timestamp() - min(a.state_change) AS oldest,
    pg_catalog.clock_timestamp() - min(a.xact_start) AS xact
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type = 'client backend'
    OR (a.backend_type IS NULL AND a.usesysid IS NOT NULL AND a.datid IS NOT NULL)
GROUP BY 1, 2, 3, 4
ORDER BY 5 DESC, 1 ASC, 2 ASC, 3 ASC, 4 ASC;
