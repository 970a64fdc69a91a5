-- answers: which big tables have statistics that describe them no more, or none?
-- title: Statistics of tables
-- area: tables
-- unit: %
-- warn: > 20
-- where: primary
-- preset: nightly
-- none: every table of more than 10,000 rows was analysed in the last 7 days
-- privileges: none
-- since: 15
-- cost: one look at the counters of each table
WITH tables AS MATERIALIZED (
    SELECT
        c.oid,
        c.relnamespace,
        c.relname,
        c.relkind,
        c.relpages,
        c.reltuples,
        pg_catalog.pg_stat_get_live_tuples(c.oid) AS live
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
        AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
),

leaves AS (
    SELECT
        t.oid,
        t.relnamespace,
        t.relname,
        t.live,
        t.reltuples,
        t.relpages,
        pg_catalog.pg_stat_get_mod_since_analyze(t.oid) AS changed,
        greatest(
            pg_catalog.pg_stat_get_last_analyze_time(t.oid),
            pg_catalog.pg_stat_get_last_autoanalyze_time(t.oid)
        ) AS analysed
    FROM tables AS t
    WHERE greatest(t.live, t.reltuples::bigint) >= 10000
),

-- Autovacuum analyses partitions and never their parents, whose statistics joins and sums of the whole go by.
parents AS (
    SELECT
        p.oid,
        p.relnamespace,
        p.relname,
        p.reltuples,
        sum(greatest(t.live, t.reltuples::bigint, 0)) AS live,
        pg_catalog.pg_stat_get_last_analyze_time(p.oid) AS analysed
    FROM pg_catalog.pg_class AS p
    INNER JOIN pg_catalog.pg_inherits AS i
        ON i.inhparent = p.oid
    INNER JOIN tables AS t
        ON t.oid = i.inhrelid
    WHERE p.relkind = 'p'
    GROUP BY
        p.oid,
        p.relnamespace,
        p.relname,
        p.reltuples
),

judged AS (
    SELECT
        l.relnamespace,
        l.relname,
        greatest(l.live, l.reltuples::bigint) AS live,
        l.analysed,
        l.reltuples < 0 OR (l.analysed IS NULL AND l.changed >= 0.5 * l.live AND l.live > 0) AS never,
        least(100.0 * l.changed / greatest(l.live, 1), 100) AS percent,
        FALSE AS is_parent
    FROM leaves AS l
    UNION ALL
    SELECT
        p.relnamespace,
        p.relname,
        p.live,
        p.analysed,
        p.reltuples < 0,
        CASE
            WHEN p.reltuples >= 0 THEN least(100.0 * abs(p.live - p.reltuples::numeric) / greatest(p.live, 1), 100)
        END,
        TRUE
    FROM parents AS p
    WHERE p.live >= 10000
),

named AS (
    SELECT
        pg_catalog.format('%I.%I', n.nspname, j.relname) AS name,
        j.live,
        j.analysed,
        j.never,
        j.percent,
        j.is_parent
    FROM judged AS j
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = j.relnamespace
),

counters AS (
    SELECT coalesce(d.stats_reset, pg_catalog.pg_postmaster_start_time()) AS since
    FROM pg_catalog.pg_stat_database AS d
    WHERE d.datname = pg_catalog.current_database()
),

result AS (
    SELECT
        n.name AS object,
        CASE WHEN n.never THEN 100 ELSE pg_catalog.round(n.percent, 1) END AS measured,
        n.analysed AS since,
        CASE
            WHEN n.never AND n.is_parent
                THEN pg_catalog.format(
                        'never analysed as a whole, about %s rows; autovacuum does the partitions only',
                        n.live
                    )
            WHEN n.never THEN pg_catalog.format('never analysed, about %s rows', n.live)
            WHEN n.is_parent
                THEN pg_catalog.format(
                        'about %s rows, %s %% other than when analysed as a whole; autovacuum does the partitions only',
                        n.live,
                        pg_catalog.round(n.percent)
                    )
            ELSE pg_catalog.format(
                    '%s %% of about %s rows changed since it was analysed', pg_catalog.round(n.percent), n.live
                )
        END AS detail,
        pg_catalog.format('ANALYZE %s', n.name) AS fix
    FROM named AS n
    WHERE n.never
        OR n.analysed < pg_catalog.now() - INTERVAL '7 days'
        -- A parent's count does not depend on the counters.
        OR (n.is_parent AND n.analysed IS NULL AND n.percent > 20)
    UNION ALL
    -- After a crash the counters begin anew; when a table was analysed is then not known.
    SELECT
        'counters',
        NULL,
        min(c.since),
        pg_catalog.format(
            'when %s tables were analysed is not known: the counters began anew; the largest is %s',
            count(*),
            (pg_catalog.array_agg(n.name ORDER BY n.live DESC))[1]
        ),
        'ANALYZE'
    FROM named AS n
    CROSS JOIN counters AS c
    WHERE NOT n.never
        AND n.analysed IS NULL
        AND NOT (n.is_parent AND coalesce(n.percent, 0) <= 20)
        AND NOT n.is_parent
    HAVING count(*) > 0
)

SELECT
    r.object,
    r.measured,
    r.since,
    r.detail,
    r.fix
FROM result AS r
ORDER BY
    r.measured DESC NULLS FIRST,
    r.object ASC
LIMIT 50;
