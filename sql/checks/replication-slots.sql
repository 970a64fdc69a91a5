-- answers: which replication slots are unused, lost, near their limit, or keep much WAL?
-- title: Replication slots
-- area: replication
-- unit: level
-- warn: > 0
-- critical: > 1
-- preset: triage, nightly
-- none: there is no replication slot
-- privileges: none
-- since: 15
-- cost: one row a slot
WITH slots AS (
    SELECT
        s.slot_name,
        s.slot_type,
        s.database,
        s.active,
        s.wal_status,
        s.safe_wal_size,
        NULL::timestamptz AS idle_since,
        NULL::text AS invalid,
        FALSE AS synced,
        pg_catalog.pg_wal_lsn_diff(
            CASE
                WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn()
            END,
            s.restart_lsn
        ) AS retained,
        -- -1 is no limit.
        nullif(pg_catalog.current_setting('max_slot_wal_keep_size'), '-1') AS bound
    FROM pg_catalog.pg_replication_slots AS s
    WHERE NOT s.temporary
),

judged AS (
    SELECT
        s.slot_name,
        s.slot_type,
        s.database,
        s.active,
        s.wal_status,
        s.safe_wal_size,
        s.idle_since,
        s.invalid,
        s.synced,
        s.retained,
        s.bound,
        CASE
            WHEN s.invalid IS NOT NULL OR s.wal_status IN ('lost', 'unreserved') THEN 2
            WHEN s.retained > 5368709120::numeric AND NOT s.active AND NOT s.synced THEN 2
            WHEN s.safe_wal_size < 0.2 * pg_catalog.pg_size_bytes(s.bound) THEN 1
            WHEN s.retained > 5368709120::numeric THEN 1
            -- A slot that reserves nothing, and one that a standby keeps for a failover, are idle by design.
            WHEN NOT s.active AND NOT s.synced AND s.retained IS NOT NULL THEN 1
            ELSE 0
        END::numeric AS measured
    FROM slots AS s
)

SELECT
    pg_catalog.format('slot %I', j.slot_name) AS object,
    j.measured,
    j.idle_since AS since,
    pg_catalog.concat_ws(
        ', ',
        pg_catalog.format('%s slot %s', j.slot_type, j.slot_name),
        'of database ' || j.database,
        CASE
            WHEN j.active THEN 'active'
            WHEN j.synced THEN 'kept for a failover'
            ELSE 'inactive: nobody reads from it'
        END,
        'invalid: ' || j.invalid,
        CASE
            WHEN j.wal_status = 'lost' THEN 'lost: the WAL that it needs is gone'
            WHEN j.wal_status = 'unreserved' THEN 'unreserved: the next checkpoint may remove the WAL that it needs'
        END,
        CASE
            WHEN j.retained IS NULL THEN 'keeps no WAL'
            ELSE pg_catalog.format('keeps %s of WAL', pg_catalog.pg_size_pretty(greatest(j.retained, 0)))
        END,
        CASE
            WHEN j.safe_wal_size IS NOT NULL
                THEN pg_catalog.format(
                        '%s left of max_slot_wal_keep_size %s', pg_catalog.pg_size_pretty(j.safe_wal_size), j.bound
                    )
        END
    ) AS detail,
    CASE
        WHEN j.wal_status = 'lost' OR j.invalid IS NOT NULL
            THEN pg_catalog.format(
                    'Its consumer must begin anew; then in psql: SELECT pg_drop_replication_slot(%L)', j.slot_name
                )
        WHEN j.active THEN 'wnadmin health run --only replication-lag'
        ELSE pg_catalog.format(
                'Start its consumer; or if nobody needs it, in psql: SELECT pg_drop_replication_slot(%L)', j.slot_name
            )
    END AS fix
FROM judged AS j
ORDER BY j.measured DESC, j.retained DESC NULLS LAST
LIMIT 50;
