-- answers: does the archiver run, and does it wait for its command right now?
-- privileges: pg_read_all_stats, without which other processes are hidden
-- since: 15
-- cost: one row a process
SELECT
    a.pid,
    a.backend_start AS started,
    coalesce(a.wait_event = 'ArchiveCommand', FALSE) AS busy
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type = 'archiver';
