-- answers: does this standby still receive WAL from its primary?
-- title: The standby receives
-- area: replication
-- unit: level
-- warn: > 0
-- critical: > 1
-- needs: member:pg_read_all_stats, member:pg_read_all_settings
-- where: standby
-- preset: triage
-- privileges: pg_read_all_stats and pg_read_all_settings
-- since: 15
-- cost: one row
WITH facts AS (
    SELECT
        r.pid IS NOT NULL AS there,
        r.status,
        r.sender_host,
        r.sender_port,
        r.last_msg_receipt_time AS heard,
        pg_catalog.pg_last_xact_replay_timestamp() AS replayed,
        s.setting <> '' AS meant,
        pg_catalog.current_setting('restore_command') <> '' AS archive
    FROM pg_catalog.pg_settings AS s
    -- It has no row while nothing is received.
    LEFT JOIN pg_catalog.pg_stat_wal_receiver AS r
        ON TRUE
    WHERE s.name = 'primary_conninfo'
)

SELECT
    '' AS object,
    CASE
        WHEN f.status = 'streaming' AND f.heard < pg_catalog.clock_timestamp() - INTERVAL '2 minutes' THEN 1
        WHEN f.status = 'streaming' THEN 0
        WHEN f.there THEN 1
        WHEN f.meant OR NOT f.archive THEN 2
        ELSE 0
    END::numeric AS measured,
    CASE WHEN f.status = 'streaming' THEN f.heard ELSE f.replayed END AS since,
    CASE
        WHEN f.status = 'streaming'
            THEN pg_catalog.format(
                    'receives from %s, port %s; last message %s s ago',
                    f.sender_host,
                    f.sender_port,
                    round(extract(EPOCH FROM pg_catalog.clock_timestamp() - f.heard), 1)
                )
        WHEN f.there THEN pg_catalog.format('the receiver is %s', f.status)
        WHEN f.meant
            THEN pg_catalog.concat_ws(
                    '; ',
                    'the receiver is down: nothing that the primary writes arrives here',
                    CASE WHEN f.archive THEN 'the archive may still feed it' END,
                    'the newest commit here is of ' || f.replayed
                )
        WHEN f.archive THEN 'fed from the archive by restore_command, as it is set up'
        ELSE 'neither primary_conninfo nor restore_command is set: nothing can arrive here'
    END AS detail,
    'Read the end of this server''s log: the primary is away, refuses the login, or has removed the WAL needed' AS fix
FROM facts AS f;
