-- answers: Can tables be changed here, and how long may one wait for a lock without disturbing autovacuum?
-- privileges: none
-- since: 15
-- cost: none
SELECT
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
    session_user::text AS login,
    current_user::text AS acting,
    (
        SELECT r.rolsuper
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = current_user
    ) AS is_superuser,
    (
        SELECT s.setting::int
        FROM pg_catalog.pg_settings AS s
        WHERE s.name = 'deadlock_timeout'
    ) AS deadlock_milliseconds,
    pg_catalog.now() AS moment;
