-- answers: does WAL archiving work, and how long has the oldest finished segment been waiting?
-- title: WAL archiving
-- area: wal
-- unit: level
-- warn: > 0
-- critical: > 1
-- needs: member:pg_monitor
-- preset: triage, nightly
-- privileges: pg_monitor, which may list the segments that wait
-- since: 15
-- cost: a listing of pg_wal/archive_status
WITH settings AS (
    SELECT
        pg_catalog.current_setting('archive_mode') AS mode,
        pg_catalog.current_setting('archive_command') AS command,
        pg_catalog.current_setting('archive_library') AS library,
        -- Said by wnadmin where the profile is one of production; in psql: SET wnadmin.production = on.
        coalesce(pg_catalog.current_setting('wnadmin.production', TRUE), '') = 'on' AS production
),

queue AS (
    SELECT
        count(*) AS waiting,
        min(f.modification) AS oldest
    FROM pg_catalog.pg_ls_archive_statusdir() AS f
    WHERE f.name LIKE '%.ready'
),

facts AS (
    SELECT
        s.last_archived_wal,
        s.last_archived_time,
        s.last_failed_wal,
        s.last_failed_time,
        s.failed_count,
        q.waiting,
        q.oldest,
        m.mode <> 'off' AND (m.mode = 'always' OR NOT pg_catalog.pg_is_in_recovery()) AS runs,
        m.mode,
        m.production,
        m.command IN ('', '(disabled)') AND m.library = '' AS nothing,
        s.last_failed_time > coalesce(s.last_archived_time, '-infinity'::timestamptz) AS failing,
        pg_catalog.clock_timestamp() - q.oldest AS waits
    FROM pg_catalog.pg_stat_archiver AS s
    CROSS JOIN queue AS q
    CROSS JOIN settings AS m
)

SELECT
    '' AS object,
    CASE
        WHEN f.mode = 'off' AND f.production THEN 1
        WHEN NOT f.runs THEN 0
        WHEN f.waits > INTERVAL '30 minutes' THEN 2
        WHEN f.failing AND f.last_archived_time IS NULL THEN 2
        WHEN f.failing OR f.nothing OR f.waits > INTERVAL '5 minutes' THEN 1
        ELSE 0
    END::numeric AS measured,
    CASE
        WHEN NOT f.runs THEN NULL
        ELSE coalesce(f.oldest, CASE WHEN f.failing THEN f.last_failed_time END)
    END AS since,
    CASE
        WHEN f.mode = 'off' AND f.production
            THEN 'archiving is off in production: with the disk all is lost that came after the last backup'
        WHEN f.mode = 'off' THEN 'archiving is off: there is no recovery to a point in time from an archive'
        WHEN NOT f.runs THEN 'this standby archives only after it has been promoted'
        ELSE pg_catalog.concat_ws(
                '; ',
                CASE WHEN f.nothing THEN 'archiving is on, with neither archive_command nor archive_library' END,
                CASE
                    WHEN f.failing
                        THEN pg_catalog.format(
                                'the last attempt failed at %s, with %s (%s failures in all)',
                                pg_catalog.to_char(f.last_failed_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
                                f.last_failed_wal,
                                f.failed_count
                            )
                END,
                CASE
                    WHEN f.last_archived_time IS NULL THEN 'nothing was archived since the counters began'
                    ELSE pg_catalog.format(
                            'last archived: %s at %s',
                            f.last_archived_wal,
                            pg_catalog.to_char(f.last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')
                        )
                END,
                pg_catalog.format('%s finished segments wait', f.waiting)
            )
    END AS detail,
    CASE
        WHEN f.mode = 'off'
            THEN 'ALTER SYSTEM SET archive_mode = on; then restart, with an archive_command that syncs what it writes'
        ELSE 'Read the end of the server log, repair archive_command or its target; wnadmin health run --only wal-size'
    END AS fix
FROM facts AS f;
