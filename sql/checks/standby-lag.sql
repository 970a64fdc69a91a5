-- answers: how old is what this standby shows?
-- title: Standby lag
-- area: replication
-- unit: s
-- warn: > 30s
-- critical: > 5min
-- needs: member:pg_read_all_stats, member:pg_read_all_settings
-- where: standby
-- preset: triage
-- privileges: pg_read_all_stats and pg_read_all_settings
-- since: 15
-- cost: one row
WITH facts AS (
    SELECT
        r.status,
        r.last_msg_receipt_time AS heard,
        pg_catalog.pg_last_xact_replay_timestamp() AS replayed,
        pg_catalog.pg_wal_lsn_diff(
            pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()
        ) AS behind,
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_get_wal_replay_pause_state() END AS pause,
        coalesce(d.setting::numeric / 1000, 0) AS wanted,
        coalesce(p.setting, '') <> '' AS meant
    FROM pg_catalog.pg_settings AS d
    LEFT JOIN pg_catalog.pg_settings AS p
        ON p.name = 'primary_conninfo'
    -- It has no row while nothing is received.
    LEFT JOIN pg_catalog.pg_stat_wal_receiver AS r
        ON TRUE
    WHERE d.name = 'recovery_min_apply_delay'
),

aged AS (
    SELECT
        f.status,
        f.replayed,
        f.behind,
        f.pause,
        f.wanted,
        f.meant,
        extract(EPOCH FROM pg_catalog.clock_timestamp() - f.heard) AS silent,
        extract(EPOCH FROM pg_catalog.clock_timestamp() - f.replayed) AS age
    FROM facts AS f
)

SELECT
    '' AS object,
    CASE
        -- Equal positions mean nothing when no more arrives.
        WHEN a.meant AND coalesce(a.status, '') <> 'streaming' THEN NULL
        -- A primary with nothing to say still sends a sign of life every half minute.
        WHEN a.meant AND a.behind <= 0 THEN CASE WHEN a.silent > 120 THEN round(a.silent, 1) ELSE 0 END
        WHEN a.age IS NOT NULL THEN round(greatest(a.age - a.wanted, 0), 1)
    END AS measured,
    a.replayed AS since,
    pg_catalog.concat_ws(
        '; ',
        CASE
            WHEN a.meant AND coalesce(a.status, '') <> 'streaming'
                THEN 'the receiver does not stream, so how far the primary is ahead is not known'
            WHEN a.meant AND a.behind <= 0 THEN 'all that was received is applied'
            WHEN a.meant THEN pg_catalog.format('%s received and not applied', pg_catalog.pg_size_pretty(a.behind))
            ELSE 'fed from the archive'
        END,
        CASE
            WHEN a.replayed IS NULL THEN 'no commit was applied since the start'
            ELSE pg_catalog.format('the newest commit here is of %s', a.replayed)
        END,
        CASE WHEN a.pause <> 'not paused' THEN pg_catalog.format('replay: %s', a.pause) END,
        CASE WHEN a.wanted > 0 THEN pg_catalog.format('recovery_min_apply_delay is %s s', round(a.wanted)) END
    ) AS detail,
    CASE
        WHEN a.meant AND coalesce(a.status, '') <> 'streaming' THEN 'wnadmin health run --only wal-receiver'
        WHEN a.pause <> 'not paused' THEN 'If nobody needs the pause, in psql: SELECT pg_wal_replay_resume()'
        ELSE 'wnadmin health run --only long-transactions'
    END AS fix
FROM aged AS a;
