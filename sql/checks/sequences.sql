-- answers: how much of its range has each sequence used, measured against the column that it feeds?
-- title: Sequences
-- area: schema
-- unit: %
-- warn: > 75
-- critical: > 90
-- where: primary
-- preset: nightly
-- none: there is no sequence
-- privileges: SELECT or USAGE on each sequence; what is hidden is unknown
-- since: 15
-- cost: one look at each sequence
-- A domain stands for the type below it.
WITH RECURSIVE bases AS (
    SELECT
        t.oid,
        t.typbasetype AS base,
        t.typtypmod AS typmod
    FROM pg_catalog.pg_type AS t
    WHERE t.typtype = 'd'
    UNION ALL
    SELECT
        b.oid,
        t.typbasetype,
        t.typtypmod
    FROM bases AS b
    INNER JOIN pg_catalog.pg_type AS t
        ON t.oid = b.base
    WHERE t.typtype = 'd'
),

-- Identity (i) and serial (a) columns own their sequence; a DEFAULT nextval() of any other column depends on it.
fed AS (
    SELECT
        s.seqrelid,
        d.refobjid AS relid,
        d.refobjsubid AS attnum
    FROM pg_catalog.pg_sequence AS s
    INNER JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = s.seqrelid
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjsubid > 0
        AND d.deptype IN ('a', 'i')
    UNION
    SELECT
        s.seqrelid,
        f.adrelid,
        f.adnum
    FROM pg_catalog.pg_sequence AS s
    INNER JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid = s.seqrelid
    INNER JOIN pg_catalog.pg_attrdef AS f
        ON f.oid = d.objid
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = f.adrelid
    WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        -- A partition's column has the type of its parent's.
        AND NOT c.relispartition
),

columns AS (
    SELECT
        f.seqrelid,
        f.relid,
        a.attname,
        coalesce(b.base, a.atttypid) AS typid,
        CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE b.typmod END AS typmod
    FROM fed AS f
    INNER JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = f.relid
        AND a.attnum = f.attnum
    LEFT JOIN bases AS b
        ON b.oid = a.atttypid
        AND b.base NOT IN (
            SELECT d.oid
            FROM bases AS d
        )
),

limits AS (
    SELECT
        c.seqrelid,
        c.relid,
        c.attname,
        c.typid,
        CASE
            WHEN c.typid = 'pg_catalog.int2'::pg_catalog.regtype THEN 32767
            WHEN c.typid = 'pg_catalog.int4'::pg_catalog.regtype THEN 2147483647
            WHEN c.typid = 'pg_catalog.int8'::pg_catalog.regtype THEN 9223372036854775807
            -- The modifier holds precision and scale, and 4 bytes of its own.
            WHEN c.typid = 'pg_catalog.numeric'::pg_catalog.regtype AND c.typmod > 4
                THEN 10::numeric ^ ((((c.typmod - 4) >> 16) & 65535) - ((c.typmod - 4) & 2047)) - 1
            WHEN c.typid = 'pg_catalog.float4'::pg_catalog.regtype THEN 16777216
            WHEN c.typid = 'pg_catalog.float8'::pg_catalog.regtype THEN 9007199254740992
        END AS biggest
    FROM columns AS c
),

-- Of several columns the narrowest counts.
narrowest AS (
    SELECT DISTINCT ON (l.seqrelid)
        l.seqrelid,
        l.relid,
        l.attname,
        l.typid,
        l.biggest
    FROM limits AS l
    ORDER BY
        l.seqrelid,
        l.biggest NULLS LAST,
        l.relid
),

locked AS MATERIALIZED (
    SELECT k.relation
    FROM pg_catalog.pg_locks AS k
    WHERE k.locktype = 'relation'
        AND k.mode = 'AccessExclusiveLock'
        AND k.database = (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

facts AS (
    SELECT
        s.seqrelid,
        n.nspname,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
        s.seqincrement > 0 AS ascends,
        s.seqincrement,
        s.seqstart,
        s.seqcycle,
        CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END AS own_end,
        CASE WHEN s.seqincrement > 0 THEN w.biggest ELSE -w.biggest - 1 END AS column_end,
        CASE
            WHEN w.relid IS NOT NULL
                THEN pg_catalog.format(
                        '%s.%I %s', w.relid::pg_catalog.regclass, w.attname, pg_catalog.format_type(w.typid, NULL)
                    )
        END AS feeds,
        pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT, USAGE') AS visible,
        s.seqrelid IN (
            SELECT l.relation
            FROM locked AS l
        ) AS is_locked
    FROM pg_catalog.pg_sequence AS s
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = s.seqrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    LEFT JOIN narrowest AS w
        ON w.seqrelid = s.seqrelid
    WHERE NOT pg_catalog.pg_is_other_temp_schema(n.oid)
),

-- One that begins anew when it is through has no end of its own.
judged AS (
    SELECT
        f.seqrelid,
        f.nspname,
        f.name,
        f.ascends,
        f.seqincrement,
        f.seqstart,
        f.feeds,
        f.visible,
        f.is_locked,
        f.column_end IS NOT NULL AND (
            (f.ascends AND f.column_end <= f.own_end)
            OR (NOT f.ascends AND f.column_end >= f.own_end)
        ) AS by_column,
        CASE
            WHEN f.column_end IS NULL THEN f.own_end
            WHEN f.ascends THEN least(f.own_end, f.column_end)
            ELSE greatest(f.own_end, f.column_end)
        END AS last_possible,
        CASE WHEN f.visible AND NOT f.is_locked THEN pg_catalog.pg_sequence_last_value(f.seqrelid) END AS last_value
    FROM facts AS f
    WHERE NOT f.seqcycle
        OR (f.column_end IS NOT NULL AND f.ascends AND f.column_end < f.own_end)
        OR (f.column_end IS NOT NULL AND NOT f.ascends AND f.column_end > f.own_end)
),

-- It may have been set back before its start.
begun AS (
    SELECT
        j.nspname,
        j.name,
        j.ascends,
        j.seqincrement,
        j.feeds,
        j.visible,
        j.is_locked,
        j.by_column,
        j.last_possible,
        j.last_value,
        CASE
            WHEN j.ascends THEN least(j.seqstart, j.last_value)
            ELSE greatest(j.seqstart, j.last_value)
        END::numeric AS zero
    FROM judged AS j
),

used AS (
    SELECT
        j.nspname,
        j.name,
        j.feeds,
        j.by_column,
        j.last_possible,
        j.last_value,
        j.visible,
        j.is_locked,
        CASE
            WHEN j.last_value IS NULL THEN 0
            WHEN j.ascends AND j.last_value + j.seqincrement::numeric > j.last_possible THEN 100
            WHEN NOT j.ascends AND j.last_value + j.seqincrement::numeric < j.last_possible THEN 100
            ELSE 100 * (j.last_value::numeric - j.zero) / nullif(j.last_possible - j.zero, 0)
        END AS percent
    FROM begun AS j
),

result AS (
    SELECT
        u.name AS object,
        CASE WHEN NOT u.is_locked THEN pg_catalog.round(coalesce(u.percent, 100), 2) END AS measured,
        CASE
            WHEN u.is_locked THEN 'it is locked exclusively, or somebody waits to lock it so'
            ELSE pg_catalog.format(
                    'at %s of %s%s%s',
                    coalesce(u.last_value::text, 'its start'),
                    pg_catalog.round(u.last_possible),
                    CASE WHEN u.by_column THEN ', the end of its column' ELSE '' END,
                    '; feeds ' || coalesce(u.feeds, 'no column that the catalog knows of')
                )
        END AS detail,
        CASE
            WHEN u.is_locked THEN 'wnadmin locks tree'
            WHEN u.by_column THEN 'wnadmin health explain sequences'
            ELSE pg_catalog.format('ALTER SEQUENCE %s AS bigint, if its column is one', u.name)
        END AS fix
    FROM used AS u
    WHERE u.visible
    UNION ALL
    SELECT
        pg_catalog.format('schema %I', u.nspname),
        NULL,
        pg_catalog.format(
            'the last values of %s sequences are hidden from this login, of %s among them', count(*), min(u.name)
        ),
        pg_catalog.format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', u.nspname, current_user)
    FROM used AS u
    WHERE NOT u.visible
    GROUP BY u.nspname
)

SELECT
    r.object,
    r.measured,
    NULL::timestamptz AS since,
    r.detail,
    r.fix
FROM result AS r
ORDER BY
    r.measured DESC NULLS FIRST,
    r.object ASC
LIMIT 50;
