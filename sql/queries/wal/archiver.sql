-- answers: is WAL archived, by what, up to where, and when did the last attempt succeed or fail?
-- privileges: none
-- since: 15
-- cost: settings and one row of statistics
WITH position AS (
    -- A standby writes no WAL of its own; what it has received is what it could archive.
    SELECT
        pg_catalog.pg_is_in_recovery() AS recovering,
        CASE
            WHEN pg_catalog.pg_is_in_recovery()
                THEN coalesce(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
            ELSE pg_catalog.pg_current_wal_lsn()
        END AS reached
)

SELECT
    p.recovering,
    pg_catalog.current_setting('archive_mode') AS mode,
    -- While archive_mode is off the server hides the command behind a word of its own.
    nullif(pg_catalog.current_setting('archive_command'), '(disabled)') AS command,
    pg_catalog.current_setting('archive_library') AS library,
    pg_catalog.current_setting('wal_level') AS level,
    (
        SELECT t.setting::integer
        FROM pg_catalog.pg_settings AS t
        WHERE t.name = 'archive_timeout'
    ) AS timeout,
    pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')) AS segment,
    (
        SELECT c.system_identifier::text
        FROM pg_catalog.pg_control_system() AS c
    ) AS system,
    CASE
        WHEN p.recovering
            THEN (
                SELECT c.timeline_id
                FROM pg_catalog.pg_control_checkpoint() AS c
            )
        -- The control file tells of the last checkpoint only.
        ELSE ('x' || substr(pg_catalog.pg_walfile_name(p.reached), 1, 8))::bit(32)::integer
    END AS timeline,
    p.reached::text AS reached,
    s.archived_count,
    s.last_archived_wal AS archived,
    s.last_archived_time AS archived_at,
    s.failed_count,
    s.last_failed_wal AS failed,
    s.last_failed_time AS failed_at,
    s.stats_reset AS counted_since,
    pg_catalog.clock_timestamp() AS now
FROM pg_catalog.pg_stat_archiver AS s
CROSS JOIN position AS p;
