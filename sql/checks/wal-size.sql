-- answers: how large is the WAL folder against max_wal_size, and what keeps it?
-- title: WAL on disk
-- area: wal
-- unit: %
-- warn: > 200
-- critical: > 500
-- needs: member:pg_monitor
-- preset: triage
-- privileges: pg_monitor, which may list the folder
-- since: 15
-- cost: a listing of pg_wal
WITH folder AS (
    SELECT
        sum(w.size) AS size,
        count(*) AS files
    FROM pg_catalog.pg_ls_waldir() AS w
),

settings AS (
    SELECT
        max(s.setting::numeric) FILTER (WHERE s.name = 'max_wal_size') * 1048576 AS most,
        max(s.setting::numeric) FILTER (WHERE s.name = 'wal_keep_size') * 1048576 AS kept
    FROM pg_catalog.pg_settings AS s
    WHERE s.name IN ('max_wal_size', 'wal_keep_size')
),

slot AS (
    SELECT
        s.slot_name,
        s.active,
        pg_catalog.pg_wal_lsn_diff(
            CASE
                WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn()
            END,
            s.restart_lsn
        ) AS retained
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.restart_lsn IS NOT NULL
    ORDER BY retained DESC NULLS LAST
    LIMIT 1
)

SELECT
    'pg_wal' AS object,
    -- wal_keep_size is wanted, so it is no surplus.
    round(100 * f.size / greatest(t.most, t.kept), 1) AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        '%s in %s files; max_wal_size is %s%s%s',
        pg_catalog.pg_size_pretty(f.size),
        f.files,
        pg_catalog.pg_size_pretty(t.most),
        coalesce(', wal_keep_size ' || pg_catalog.pg_size_pretty(nullif(t.kept, 0)), ''),
        CASE
            WHEN s.retained > 0
                THEN pg_catalog.format(
                        '; the %s slot %s keeps %s',
                        CASE WHEN s.active THEN 'active' ELSE 'inactive' END,
                        s.slot_name,
                        pg_catalog.pg_size_pretty(s.retained)
                    )
            ELSE ''
        END
    ) AS detail,
    CASE
        WHEN s.retained > t.most THEN 'wnadmin health run --only replication-slots'
        ELSE 'wnadmin health run --only archiver,replication-slots,checkpoints'
    END AS fix
FROM folder AS f
CROSS JOIN settings AS t
LEFT JOIN slot AS s
    ON TRUE;
