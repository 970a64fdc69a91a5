-- answers: for how long do the partitions by time reach, without a hole?
-- title: Partitions ahead
-- area: partitions
-- unit: days
-- warn: < 45d
-- critical: < 7d
-- where: primary
-- preset: triage, nightly
-- none: no table is partitioned by time
-- privileges: none
-- since: 15
-- cost: reads the bounds of all partitions
WITH keyed AS (
    SELECT
        t.partrelid,
        t.partdefid,
        c.relispartition,
        n.nspname,
        c.relname,
        a.atttypid IN (
            'pg_catalog.timestamptz'::pg_catalog.regtype,
            'pg_catalog.timestamp'::pg_catalog.regtype,
            'pg_catalog.date'::pg_catalog.regtype
        ) AS by_time
    FROM pg_catalog.pg_partitioned_table AS t
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = t.partrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    -- None for an expression; then the bounds tell whether it is one of time.
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = t.partrelid
        AND a.attnum = t.partattrs[0]
        AND a.attnum > 0
    WHERE t.partstrat = 'r'
        AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
),

-- MATERIALIZED, so that each bound is written out once.
texts AS MATERIALIZED (
    SELECT
        i.inhparent,
        i.inhrelid,
        k.by_time,
        c.relkind = 'p' AS is_parent,
        pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM keyed AS k
    INNER JOIN pg_catalog.pg_inherits AS i
        ON i.inhparent = k.partrelid
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = i.inhrelid
    WHERE coalesce(k.by_time, TRUE)
        AND i.inhrelid <> k.partdefid
        AND NOT i.inhdetachpending
),

-- FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00'); of several columns the first counts.
uppers AS (
    SELECT
        t.inhparent,
        t.inhrelid,
        t.is_parent,
        t.bound,
        pg_catalog.btrim(
            pg_catalog.split_part(pg_catalog.split_part(pg_catalog.split_part(t.bound, ') TO (', 2), ')', 1), ',', 1),
            ''''
        ) AS upper_text
    FROM texts AS t
    WHERE t.by_time
        OR t.bound
        ~ '^FOR VALUES FROM \((MINVALUE|''[0-9]{4,}-[0-9]{2}-[0-9]{2}).* TO \((MAXVALUE|''[0-9]{4,}-[0-9]{2}-[0-9]{2})'
),

bounds AS (
    SELECT
        u.inhparent,
        u.inhrelid,
        CASE
            WHEN u.bound LIKE 'FOR VALUES FROM (MINVALUE%' THEN '-infinity'
            ELSE pg_catalog.split_part(u.bound, '''', 2)
        END::timestamptz AS lower_bound,
        CASE WHEN u.upper_text = 'MAXVALUE' THEN 'infinity' ELSE u.upper_text END::timestamptz AS upper_bound
    FROM uppers AS u
    -- What is past need not be read, unless it is partitioned itself; years of five digits are.
    WHERE u.is_parent
        OR u.upper_text IN ('MAXVALUE', 'infinity')
        OR u.upper_text >= pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')
        OR pg_catalog.strpos(u.upper_text, '-') <> 5
),

-- A partition that is partitioned itself has to reach as far as those above it, no further.
frames AS (
    SELECT
        k.partrelid,
        max(b.lower_bound) AS lower_bound,
        min(b.upper_bound) AS upper_bound
    FROM keyed AS k
    CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(k.partrelid) AS a (relid)
    INNER JOIN bounds AS b
        ON b.inhrelid = a.relid
    WHERE k.relispartition
    GROUP BY k.partrelid
),

parents AS (
    SELECT
        k.partrelid,
        k.partdefid,
        k.nspname,
        k.relname,
        k.by_time,
        greatest(pg_catalog.now(), f.lower_bound) AS begins,
        f.upper_bound AS ends
    FROM keyed AS k
    LEFT JOIN frames AS f
        ON f.partrelid = k.partrelid
    WHERE coalesce(k.by_time, TRUE)
),

steps AS (
    SELECT
        b.inhparent,
        b.lower_bound,
        b.upper_bound,
        CASE
            WHEN b.lower_bound <= max(b.upper_bound)
                    OVER (
                        PARTITION BY b.inhparent ORDER BY b.lower_bound ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    )
                THEN 0
            ELSE 1
        END AS starts
    FROM bounds AS b
),

numbered AS (
    SELECT
        s.inhparent,
        s.lower_bound,
        s.upper_bound,
        sum(s.starts) OVER (PARTITION BY s.inhparent ORDER BY s.lower_bound, s.upper_bound) AS stretch
    FROM steps AS s
),

stretches AS (
    SELECT
        n.inhparent,
        min(n.lower_bound) AS lower_bound,
        max(n.upper_bound) AS upper_bound
    FROM numbered AS n
    GROUP BY
        n.inhparent,
        n.stretch
),

known AS (
    SELECT
        u.inhparent,
        count(*) AS partitions
    FROM uppers AS u
    GROUP BY u.inhparent
),

reach AS (
    SELECT
        p.partrelid,
        p.partdefid,
        p.nspname,
        p.relname,
        p.by_time,
        p.begins,
        p.ends,
        coalesce(k.partitions, 0) AS partitions,
        coalesce(
            (
                SELECT s.upper_bound
                FROM stretches AS s
                WHERE s.inhparent = p.partrelid
                    AND s.lower_bound <= p.begins
                    AND s.upper_bound > p.begins
            ),
            p.begins
        ) AS until
    FROM parents AS p
    LEFT JOIN known AS k
        ON k.inhparent = p.partrelid
),

result AS (
    SELECT
        r.partdefid,
        r.nspname,
        r.relname,
        r.until,
        r.partitions,
        extract(EPOCH FROM r.until - pg_catalog.now()) / 86400 AS days
    FROM reach AS r
    -- A key that is an expression and has no bounds of time is none of ours.
    WHERE (r.by_time OR r.partitions > 0)
        AND r.until < 'infinity'::timestamptz
        AND (r.ends IS NULL OR r.until < r.ends)
)

SELECT
    pg_catalog.format('%I.%I', r.nspname, r.relname) AS object,
    pg_catalog.round(r.days, 1) AS measured,
    CASE WHEN r.days <= 0 THEN NULL ELSE r.until END AS since,
    CASE
        WHEN r.partitions = 0 THEN 'has no partition at all'
        WHEN r.days <= 0 THEN 'has no partition for now'
        ELSE pg_catalog.format(
                'reaches to %s',
                pg_catalog.to_char(r.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI"Z"')
            )
    END
    || CASE
        WHEN r.partdefid = 0 THEN '; a row after that is refused' ELSE
            '; a row after that goes to the default partition'
    END
        AS detail,
    CASE
        WHEN (r.nspname, r.relname) IN (
                ('content', 'engagement'), ('audio', 'sessions'), ('analytics', 'events'), ('audit', 'activity_log')
            )
            THEN 'As wondernest_migration: SELECT admin.ensure_partitions(12)'
        ELSE pg_catalog.format(
                'CREATE TABLE … PARTITION OF %I.%I FOR VALUES FROM (%L) TO (…)', r.nspname, r.relname, r.until
            )
    END AS fix
FROM result AS r
ORDER BY
    r.days,
    object
LIMIT 50;
