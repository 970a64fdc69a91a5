-- does: ends one session, if it is still the one that began then
-- privileges: pg_signal_backend, or superuser for the sessions of superusers
-- since: 15
-- cost: what the session had not committed is rolled back
SELECT pg_catalog.pg_terminate_backend(a.pid) AS ended
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid = :'pid'::int
    AND a.backend_start = :'since'::timestamptz;
