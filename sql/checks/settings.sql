-- answers: is anything set so that data can be lost, damaged unnoticed, or never cleaned?
-- title: Settings that endanger data
-- area: settings
-- unit: level
-- warn: > 0
-- critical: > 1
-- preset: nightly
-- none: no setting of the server, of a database or of a role endangers data
-- privileges: none
-- since: 15
-- cost: one pass over the settings and over what databases and roles override
WITH dangers (name, bad, good, level, words) AS (
    VALUES
    ('fsync', 'off', 'on', 2, 'a crash of the machine can leave the whole cluster damaged beyond repair'),
    ('full_page_writes', 'off', 'on', 2, 'a page that was half written in a crash cannot be repaired'),
    ('autovacuum', 'off', 'on', 2, 'dead rows stay, statistics age, and transaction ids run out'),
    ('track_counts', 'off', 'on', 2, 'autovacuum does not see what to do'),
    ('zero_damaged_pages', 'on', 'off', 2, 'a damaged page is read as empty, and its rows are gone without an error'),
    ('ignore_checksum_failure', 'on', 'off', 2, 'a page whose checksum is wrong is used as if it were right'),
    ('ignore_system_indexes', 'on', 'off', 2, 'system catalogs are read without their indexes, as in a repair'),
    ('data_sync_retry', 'on', 'off', 2, 'what a failed fsync has lost is taken for written'),
    ('synchronous_commit', 'off', 'on', 1, 'a crash loses the last commits, which the client was told are safe'),
    ('wal_level', 'minimal', 'replica', 1, 'there can be no standby, no archive and no online backup')
),

overrides AS (
    SELECT
        pg_catalog.split_part(c.entry, '=', 1) AS name,
        pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1) AS setting,
        pg_catalog.concat_ws(
            ' in ',
            CASE WHEN s.setrole <> 0 THEN pg_catalog.format('role %I', r.rolname) END,
            CASE WHEN s.setdatabase <> 0 THEN pg_catalog.format('database %I', d.datname) END
        ) AS place,
        CASE
            WHEN s.setrole = 0 THEN pg_catalog.format('ALTER DATABASE %I', d.datname)
            WHEN s.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE %I', r.rolname)
            ELSE pg_catalog.format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname)
        END AS command
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (entry)
    LEFT JOIN pg_catalog.pg_roles AS r
        ON r.oid = s.setrole
    LEFT JOIN pg_catalog.pg_database AS d
        ON d.oid = s.setdatabase
),

found AS (
    SELECT
        g.name AS object,
        -- This session's own value says nothing about the others.
        CASE
            WHEN s.source IN ('database', 'user', 'database user', 'client', 'session') THEN NULL
            WHEN s.setting = g.bad THEN g.level
            ELSE 0
        END AS measured,
        CASE
            WHEN s.source IN ('database', 'user', 'database user', 'client', 'session')
                THEN pg_catalog.format(
                        '%s is set for this login itself (%s), which hides what the server has', g.name, s.source
                    )
            ELSE pg_catalog.format('%s = %s: %s', g.name, g.bad, g.words)
        END AS detail,
        CASE
            WHEN s.source IN ('database', 'user', 'database user', 'client', 'session')
                THEN 'Look as another login.'
            WHEN s.source = 'command line'
                THEN pg_catalog.format('Take %s from the command line of the server, then restart', g.name)
            ELSE pg_catalog.format(
                    'In psql: ALTER SYSTEM SET %I = %s, then %s',
                    g.name,
                    g.good,
                    CASE s.context WHEN 'postmaster' THEN 'restart' ELSE 'SELECT pg_reload_conf()' END
                )
        END AS fix
    FROM dangers AS g
    INNER JOIN pg_catalog.pg_settings AS s
        ON s.name = g.name
    UNION ALL
    SELECT
        pg_catalog.format('%s of %s', g.name, o.place),
        g.level,
        pg_catalog.format('%s = %s for %s: %s', g.name, o.setting, o.place, g.words),
        pg_catalog.format('In psql: %s RESET %I', o.command, g.name)
    FROM overrides AS o
    INNER JOIN dangers AS g
        ON g.name = o.name
        AND (
            g.bad = o.setting
            OR (g.bad = 'on' AND o.setting IN ('true', 'yes', '1'))
            OR (g.bad = 'off' AND o.setting IN ('false', 'no', '0'))
        )
)

SELECT
    f.object,
    f.measured::numeric AS measured,
    NULL::timestamptz AS since,
    f.detail,
    f.fix
FROM found AS f
WHERE f.measured IS DISTINCT FROM 0
ORDER BY measured DESC NULLS FIRST
LIMIT 50;
