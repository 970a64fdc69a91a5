-- answers: Which server and database is a backup taken from, and what may this login do there?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: catalog look-ups
-- "moment" and "lsn" are not after a snapshot that is taken next. A standby has rows as old as what it replayed last.
SELECT
    (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)::text AS system_identifier,
    pg_catalog.current_setting('server_version') AS server_version,
    pg_catalog.pg_is_in_recovery() AS standby,
    pg_catalog.current_setting('default_transaction_read_only') = 'on' AS read_only,
    CASE
        WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
        ELSE pg_catalog.pg_current_wal_lsn()
    END::text AS lsn,
    CASE
        WHEN pg_catalog.pg_is_in_recovery()
            THEN least(now(), coalesce(pg_catalog.pg_last_xact_replay_timestamp(), now()))
        ELSE now()
    END AS moment,
    r.rolsuper AS superuser,
    r.rolsuper OR r.rolbypassrls AS sees_all_rows
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user;
