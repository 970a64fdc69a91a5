-- answers: Which of wnadmin's own sessions are there, and since when?
-- privileges: none; the start of another login's session needs pg_read_all_stats
-- since: 15
-- cost: one look at pg_stat_activity
SELECT
    a.pid,
    a.application_name,
    a.backend_start AS since
FROM pg_catalog.pg_stat_activity AS a
WHERE a.application_name LIKE 'wnadmin/%'
ORDER BY a.pid;
