-- answers: which replication slots keep WAL, and how much?
-- privileges: none
-- since: 15
-- cost: one row a slot
SELECT
    s.slot_name AS name,
    s.slot_type AS type,
    s.active,
    coalesce(s.wal_status, '') AS status,
    greatest(
        pg_catalog.pg_wal_lsn_diff(
            CASE
                WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn()
            END,
            s.restart_lsn
        ),
        0
    )::bigint AS bytes
FROM pg_catalog.pg_replication_slots AS s
WHERE s.restart_lsn IS NOT NULL
ORDER BY
    bytes DESC,
    name ASC;
