-- answers: how many bytes of WAL has each standby or subscriber still to apply?
-- title: Replication lag
-- area: replication
-- unit: bytes
-- warn: > 100MB
-- critical: > 1GB
-- needs: member:pg_read_all_stats
-- where: primary
-- preset: triage
-- none: no standby is attached
-- privileges: pg_read_all_stats
-- since: 15
-- cost: one pass over the senders
WITH senders AS (
    SELECT
        r.pid,
        r.application_name,
        r.client_addr,
        r.state,
        r.sync_state,
        r.replay_lag,
        s.slot_name,
        s.slot_type,
        -- A receiver that only stores WAL never reports a replay.
        coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn, r.sent_lsn) AS at
    FROM pg_catalog.pg_stat_replication AS r
    LEFT JOIN pg_catalog.pg_replication_slots AS s
        ON s.active_pid = r.pid
    -- A base backup is no standby.
    WHERE r.state IS DISTINCT FROM 'backup'
)

SELECT
    pg_catalog.format('%s %I', CASE s.slot_type WHEN 'logical' THEN 'subscriber' ELSE 'standby' END, s.application_name)
        AS object,
    greatest(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.at), 0) AS measured,
    NULL::timestamptz AS since,
    pg_catalog.concat_ws(
        ', ',
        pg_catalog.format('%s at %s', s.application_name, coalesce(pg_catalog.host(s.client_addr), 'the local socket')),
        s.state,
        s.sync_state,
        'slot ' || s.slot_name,
        CASE
            WHEN s.at IS NULL THEN 'it has reported nothing yet'
            WHEN s.replay_lag IS NULL THEN 'no delay was measured lately'
            ELSE pg_catalog.format('the last delay measured is %s s', round(extract(EPOCH FROM s.replay_lag), 1))
        END
    ) AS detail,
    'On the standby: wnadmin health run --only standby-lag,wal-receiver,long-transactions' AS fix
FROM senders AS s
UNION ALL
SELECT
    'synchronous_standby_names',
    NULL,
    NULL,
    pg_catalog.format(
        'commits wait: synchronous_standby_names is %L, and no synchronous standby is attached',
        pg_catalog.current_setting('synchronous_standby_names')
    ),
    'Start the standby; or, giving up the promise, in psql: ALTER SYSTEM SET synchronous_standby_names = '''', then '
    'SELECT pg_reload_conf()'
WHERE pg_catalog.current_setting('synchronous_standby_names') <> ''
    AND NOT EXISTS (
        SELECT 1
        FROM senders AS s
        WHERE s.sync_state IN ('sync', 'quorum')
    )
ORDER BY measured DESC
LIMIT 50;
