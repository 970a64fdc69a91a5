-- answers: are there holes between the partitions of a table?
-- title: Holes between partitions
-- area: partitions
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- none: no table has a hole between its partitions
-- privileges: none
-- since: 15
-- cost: reads the bounds of all partitions
-- MATERIALIZED, so that each bound is written out once.
WITH parts AS MATERIALIZED (
    SELECT
        i.inhparent,
        t.partdefid,
        a.atttypid,
        pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_catalog.pg_partitioned_table AS t
    INNER JOIN pg_catalog.pg_inherits AS i
        ON i.inhparent = t.partrelid
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = i.inhrelid
    INNER JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = t.partrelid
        AND a.attnum = t.partattrs[0]
    -- Holes of several columns or of an expression cannot be told from the bounds alone.
    WHERE t.partstrat = 'r'
        AND t.partnatts = 1
        AND a.attnum > 0
        AND i.inhrelid <> t.partdefid
        AND NOT i.inhdetachpending
        AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
),

texts AS (
    SELECT
        p.inhparent,
        p.partdefid,
        p.atttypid IN (
            'pg_catalog.timestamptz'::pg_catalog.regtype,
            'pg_catalog.timestamp'::pg_catalog.regtype,
            'pg_catalog.date'::pg_catalog.regtype
        ) AS by_time,
        -- FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')
        pg_catalog.substr(pg_catalog.split_part(p.bound, ') TO (', 1), 18) AS lower_text,
        pg_catalog.rtrim(pg_catalog.split_part(p.bound, ') TO (', 2), ')') AS upper_text
    FROM parts AS p
    WHERE p.atttypid IN (
            'pg_catalog.timestamptz'::pg_catalog.regtype,
            'pg_catalog.timestamp'::pg_catalog.regtype,
            'pg_catalog.date'::pg_catalog.regtype,
            'pg_catalog.int2'::pg_catalog.regtype,
            'pg_catalog.int4'::pg_catalog.regtype,
            'pg_catalog.int8'::pg_catalog.regtype
        )
),

-- Where one ends and no other begins. EXCEPT, not a join: it sorts or hashes, whatever the planner expects.
ends AS (
    SELECT
        t.inhparent,
        t.upper_text
    FROM texts AS t
    EXCEPT
    SELECT
        t.inhparent,
        t.lower_text
    FROM texts AS t
),

-- Each table has one such end; with two it has a hole.
holed AS MATERIALIZED (
    SELECT e.inhparent
    FROM ends AS e
    GROUP BY e.inhparent
    HAVING count(*) > 1
),

plain AS (
    SELECT
        t.inhparent,
        t.partdefid,
        t.by_time,
        pg_catalog.btrim(t.lower_text, '''') AS lower_text,
        pg_catalog.btrim(t.upper_text, '''') AS upper_text
    FROM texts AS t
    INNER JOIN holed AS h
        ON h.inhparent = t.inhparent
),

bounds AS (
    SELECT
        p.inhparent,
        p.partdefid,
        p.by_time,
        p.lower_text,
        p.upper_text,
        CASE
            WHEN p.lower_text = 'MINVALUE' THEN '-Infinity'::numeric
            WHEN p.by_time THEN extract(EPOCH FROM p.lower_text::timestamptz)
            ELSE p.lower_text::numeric
        END AS lower_bound,
        CASE
            WHEN p.upper_text = 'MAXVALUE' THEN 'Infinity'::numeric
            WHEN p.by_time THEN extract(EPOCH FROM p.upper_text::timestamptz)
            ELSE p.upper_text::numeric
        END AS upper_bound
    FROM plain AS p
),

neighbours AS (
    SELECT
        b.inhparent,
        b.partdefid,
        b.by_time,
        b.lower_text,
        b.lower_bound,
        -- Ranges never overlap: the one before in order is the neighbour.
        pg_catalog.lag(b.upper_text) OVER w AS before_text,
        pg_catalog.lag(b.upper_bound) OVER w AS before_bound
    FROM bounds AS b
    WINDOW w AS (PARTITION BY b.inhparent ORDER BY b.lower_bound)
)

SELECT
    pg_catalog.format('%I.%I from %s', pn.nspname, p.relname, n.before_text) AS object,
    1::numeric AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        'no partition from %s to %s%s; %s',
        n.before_text,
        n.lower_text,
        CASE
            WHEN n.by_time
                AND extract(EPOCH FROM pg_catalog.now()) BETWEEN n.before_bound AND n.lower_bound
                THEN ', which is now'
            ELSE ''
        END,
        CASE
            WHEN n.partdefid = 0 THEN 'a row for it is refused'
            ELSE 'its rows go to the default partition'
        END
    ) AS detail,
    CASE
        WHEN (pn.nspname, p.relname) IN (
                ('content', 'engagement'), ('audio', 'sessions'), ('analytics', 'events'), ('audit', 'activity_log')
            )
            THEN pg_catalog.format(
                    'As wondernest_migration: SELECT admin.create_monthly_partition(%L, %L)',
                    pg_catalog.format('%I.%I', pn.nspname, p.relname),
                    pg_catalog.left(n.before_text, 10)
                )
        ELSE pg_catalog.format(
                'CREATE TABLE … PARTITION OF %I.%I FOR VALUES FROM (%L) TO (%L)',
                pn.nspname,
                p.relname,
                n.before_text,
                n.lower_text
            )
    END AS fix
FROM neighbours AS n
INNER JOIN pg_catalog.pg_class AS p
    ON p.oid = n.inhparent
INNER JOIN pg_catalog.pg_namespace AS pn
    ON pn.oid = p.relnamespace
WHERE n.before_bound < n.lower_bound
ORDER BY
    n.by_time DESC,
    n.lower_bound DESC,
    object ASC
LIMIT 50;
