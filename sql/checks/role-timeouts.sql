-- answers: which logins may run, or sit in a transaction, for ever?
-- title: Logins without a time limit
-- area: settings
-- unit: level
-- warn: > 0
-- critical: > 1
-- preset: nightly
-- none: no ordinary login may connect to this database
-- privileges: none; the server's own defaults are seen by superusers only, and not needed where roles have theirs
-- since: 15
-- cost: a catalog look
WITH here AS (
    SELECT
        d.oid,
        d.datname
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
),

limits (name) AS (
    SELECT s.name
    FROM pg_catalog.pg_settings AS s
    -- transaction_timeout from PostgreSQL 17 on.
    WHERE s.name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
),

-- This session has limits of its own, which hide those of the server; what the server was started with and the
-- files behind it are for superusers. Asked for as text, since merely naming them is refused to others.
sources (ord, query) AS (
    SELECT
        1,
        'SELECT (regexp_match(pg_read_file(''postmaster.opts''), ''"(?:--)?'' || %L || ''=([^"]*)"''))[1] AS v'
    UNION ALL
    SELECT
        2,
        'SELECT setting AS v FROM pg_catalog.pg_file_settings WHERE applied AND translate(name, ''_'', ''.'') = %L'
),

answers AS (
    SELECT
        l.name,
        s.ord,
        CASE
            WHEN pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
                AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')
                AND pg_catalog.has_function_privilege('pg_catalog.pg_read_file(text)', 'EXECUTE')
                THEN pg_catalog.query_to_xml(
                        -- A dot stands for _ and -, either of which a command line may have.
                        pg_catalog.format(s.query, pg_catalog.translate(l.name, '_', '.')), FALSE, FALSE, ''
                    )
        END AS answer
    FROM limits AS l
    CROSS JOIN sources AS s
),

texts AS (
    SELECT
        a.name,
        a.ord,
        a.answer IS NOT NULL AS readable,
        ((pg_catalog.xpath('//v/text()', a.answer))[1])::text AS value
    FROM answers AS a
),

files AS (
    SELECT
        x.name,
        bool_and(x.readable) AS readable,
        (pg_catalog.array_agg(x.value ORDER BY x.ord) FILTER (WHERE x.value IS NOT NULL))[1] AS value
    FROM texts AS x
    GROUP BY x.name
),

server AS (
    SELECT
        s.name,
        CASE
            WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable')
                THEN s.setting
            WHEN f.readable THEN coalesce(f.value, s.boot_val)
        END AS value
    FROM pg_catalog.pg_settings AS s
    INNER JOIN files AS f
        ON f.name = s.name
),

set_values AS (
    SELECT
        s.setdatabase,
        s.setrole,
        pg_catalog.split_part(u.entry, '=', 1) AS name,
        pg_catalog.split_part(u.entry, '=', 2) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS u (entry)
),

-- The nearest wins: of the role in this database, of the role, of the database, of the server.
effective AS (
    SELECT
        r.rolname,
        l.name,
        coalesce(b.value, o.value, d.value, v.value) AS value
    FROM pg_catalog.pg_roles AS r
    CROSS JOIN here AS h
    CROSS JOIN limits AS l
    LEFT JOIN set_values AS b
        ON b.setrole = r.oid
        AND b.setdatabase = h.oid
        AND b.name = l.name
    LEFT JOIN set_values AS o
        ON o.setrole = r.oid
        AND o.setdatabase = 0
        AND o.name = l.name
    LEFT JOIN set_values AS d
        ON d.setrole = 0
        AND d.setdatabase = h.oid
        AND d.name = l.name
    LEFT JOIN server AS v
        ON v.name = l.name
    WHERE r.rolcanlogin
        -- They take their time with reason: people with all rights, dumps and standbys.
        AND NOT r.rolsuper
        AND NOT r.rolreplication
        AND pg_catalog.has_database_privilege(r.oid, h.oid, 'CONNECT')
),

roles AS (
    SELECT
        e.rolname,
        count(*) FILTER (WHERE e.value !~ '^0+(\.0+)?[a-z]*$') AS limited,
        count(*) FILTER (WHERE e.value IS NULL) AS hidden,
        pg_catalog.string_agg(
            pg_catalog.format('%s %s', e.name, e.value), ', ' ORDER BY e.name
        ) FILTER (WHERE e.value !~ '^0+(\.0+)?[a-z]*$') AS words
    FROM effective AS e
    GROUP BY e.rolname
)

SELECT
    pg_catalog.format('role %I', r.rolname) AS object,
    CASE
        WHEN r.limited > 0 THEN 0
        WHEN r.hidden > 0 THEN NULL
        ELSE 1
    END::numeric AS measured,
    NULL::timestamptz AS since,
    CASE
        WHEN r.limited > 0 THEN r.words
        WHEN r.hidden > 0
            THEN 'neither role nor database sets a limit; what the server sets is shown to superusers only, and by '
                || 'wnadmin config check to a login without limits of its own'
        ELSE 'neither statement_timeout nor idle_in_transaction_session_timeout, by role, database or server'
    END AS detail,
    pg_catalog.format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''5min''', r.rolname) AS fix
FROM roles AS r
ORDER BY
    measured DESC NULLS LAST,
    object ASC
LIMIT 50;
