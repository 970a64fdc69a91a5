-- answers: does the node answer, and what is it?
-- title: The node answers
-- area: server
-- unit: level
-- warn: > 0
-- critical: > 1
-- preset: triage, nightly
-- privileges: none
-- since: 15
-- cost: nothing
SELECT
    '' AS object,
    0::numeric AS measured,
    pg_catalog.pg_postmaster_start_time() AS since,
    pg_catalog.format(
        'PostgreSQL %s, %s, database %s',
        pg_catalog.current_setting('server_version'),
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'standby' ELSE 'primary' END,
        pg_catalog.current_database()
    ) AS detail,
    '' AS fix;
