-- answers: how do the settings that archiving needs stand, in force and in the files, and what does ALTER SYSTEM say?
-- privileges: superuser, or SELECT on pg_file_settings with EXECUTE on pg_show_all_file_settings()
-- since: 15
-- cost: reads and parses the configuration files
WITH lines AS (
    SELECT
        f.name,
        f.setting,
        f.sourcefile LIKE '%/postgresql.auto.conf' AS own,
        -- The last line wins, also where it waits for a restart, which the server calls an error.
        row_number() OVER (PARTITION BY f.name ORDER BY f.seqno DESC) AS place
    FROM pg_catalog.pg_file_settings AS f
    WHERE f.name IN ('archive_command', 'archive_library', 'archive_mode', 'archive_timeout', 'wal_level')
)

SELECT
    s.name,
    s.vartype AS kind,
    coalesce(s.unit, '') AS unit,
    s.setting AS now,
    s.context = 'postmaster' AS restarts,
    coalesce(l.setting, s.boot_val, '') AS later,
    (
        SELECT a.setting
        FROM lines AS a
        WHERE a.name = s.name AND a.own
        ORDER BY a.place
        LIMIT 1
    ) AS altered
FROM pg_catalog.pg_settings AS s
LEFT JOIN lines AS l
    ON l.name = s.name AND l.place = 1
WHERE s.name IN ('archive_command', 'archive_library', 'archive_mode', 'archive_timeout', 'wal_level')
ORDER BY s.name;
