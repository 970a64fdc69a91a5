-- answers: how much of the big tables is neither row nor reserve?
-- title: Bloat of tables
-- area: tables
-- unit: %
-- warn: > 50
-- where: primary
-- preset: nightly
-- none: no table is larger than 32 MB
-- extension: pgstattuple
-- privileges: pg_stat_scan_tables (pg_monitor has it) and USAGE on the schema of pgstattuple
-- since: 15
-- cost: as without the extension, and a scan of at most 128 MB that the visibility map does not vouch for
WITH locked AS MATERIALIZED (
    -- Waiting ones too: a look at the size would queue behind them.
    SELECT l.relation
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
        AND l.mode = 'AccessExclusiveLock'
        AND l.database = (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

-- The largest; where counters say that one grew since its pages were counted, by the counters.
candidates AS MATERIALIZED (
    SELECT
        c.oid,
        n.nspname,
        c.relname,
        c.relkind,
        c.relpages,
        c.relallvisible,
        c.reltuples::numeric AS rows,
        coalesce((pg_catalog.regexp_match(c.reloptions::text, 'fillfactor=([0-9]+)'))[1]::int, 100) AS fillfactor,
        c.oid IN (
            SELECT l.relation
            FROM locked AS l
        ) AS is_locked
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 't')
        AND c.relpersistence <> 't'
        AND c.relam = (
            SELECT m.oid
            FROM pg_catalog.pg_am AS m
            WHERE m.amname = 'heap'
        )
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND (
            c.relpages >= 4096
            OR pg_catalog.pg_stat_get_live_tuples(c.oid) + pg_catalog.pg_stat_get_dead_tuples(c.oid) >= 100000
        )
    ORDER BY c.relpages DESC
    LIMIT 100
),

sized AS MATERIALIZED (
    SELECT
        c.oid,
        CASE
            WHEN o.oid IS NULL THEN pg_catalog.format('%I.%I', c.nspname, c.relname)
            ELSE pg_catalog.format('TOAST of %s', o.oid::pg_catalog.regclass)
        END AS name,
        c.nspname,
        c.relname,
        c.relkind,
        c.relpages,
        c.relallvisible,
        c.rows,
        c.fillfactor,
        c.is_locked,
        CASE WHEN NOT c.is_locked THEN pg_catalog.pg_relation_size(c.oid) END AS bytes,
        pg_catalog.current_setting('block_size')::int AS block
    FROM candidates AS c
    LEFT JOIN pg_catalog.pg_class AS o
        ON o.reltoastrelid = c.oid
        AND c.relkind = 't'
),

big AS (
    SELECT
        s.oid,
        s.name,
        s.nspname,
        s.relname,
        s.relkind,
        s.relpages,
        s.relallvisible,
        s.rows,
        s.fillfactor,
        s.is_locked,
        s.bytes,
        s.block
    FROM sized AS s
    -- 32 MB: less is not worth a thought.
    WHERE s.is_locked
        OR s.bytes >= 33554432
),

-- How wide a row is: at least without padding, at most with all that alignment may ask for.
described AS (
    SELECT
        b.oid,
        a.attnum,
        (
            SELECT ARRAY[s.null_frac, s.avg_width]
            FROM pg_catalog.pg_stats AS s
            WHERE s.schemaname = b.nspname
                AND s.tablename = b.relname
                AND s.attname = a.attname
                AND NOT s.inherited
        ) AS facts,
        CASE a.attalign
            WHEN 'd' THEN 8
            WHEN 'i' THEN 4
            WHEN 's' THEN 2
            ELSE 1
        END AS alignment,
        pg_catalog.lag(a.attlen, 1, 8::int2) OVER (PARTITION BY b.oid ORDER BY a.attnum) AS before
    FROM big AS b
    INNER JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = b.oid
        AND a.attnum > 0
        AND NOT a.attisdropped
        -- From PostgreSQL 18 on; such a column is not stored.
        AND a.attgenerated <> 'v'
),

columns AS (
    SELECT
        d.oid,
        d.attnum,
        d.facts[1] AS null_frac,
        d.facts[2] AS avg_width,
        d.alignment,
        d.before
    FROM described AS d
),

widths AS (
    SELECT
        c.oid,
        bool_and(c.avg_width IS NOT NULL) AS complete,
        CASE WHEN bool_or(c.null_frac > 0) THEN (23 + (max(c.attnum) + 7) / 8 + 7) / 8 * 8 ELSE 24 END AS header,
        sum((1 - c.null_frac) * c.avg_width) AS data,
        sum(
            CASE
                WHEN c.before > 0 AND c.before % c.alignment = 0 THEN 0
                ELSE (1 - c.null_frac) * (c.alignment - 1)
            END
        ) AS padding
    FROM columns AS c
    GROUP BY c.oid
),

fresh AS (
    SELECT
        b.oid,
        greatest(
            pg_catalog.pg_stat_get_last_analyze_time(b.oid),
            pg_catalog.pg_stat_get_last_autoanalyze_time(b.oid)
        ) AS analysed,
        pg_catalog.pg_stat_get_mod_since_analyze(b.oid) AS changed
    FROM big AS b
),

estimated AS (
    SELECT
        b.oid,
        b.name,
        b.relkind,
        b.relpages,
        b.relallvisible,
        b.is_locked,
        b.bytes,
        b.block,
        f.analysed,
        b.fillfactor,
        w.complete,
        -- Counted long ago, or before much was written, says nothing about today.
        f.analysed IS NOT NULL
        AND f.changed <= 0.1 * greatest(b.rows, 1)
        AND b.rows >= 0
        AND abs(b.relpages * b.block::numeric - b.bytes) <= 0.1 * b.bytes AS is_fresh,
        100
        * (
            1
            - b.rows * (w.header + w.data + 4) / ((b.block - 24) * b.fillfactor / 100.0) * b.block / nullif(b.bytes, 0)
        )
            AS high,
        100 * (
            1 - b.rows * (pg_catalog.ceil((w.header + w.data + w.padding) / 8) * 8 + 4)
            / ((b.block - 24) * b.fillfactor / 100.0) * b.block / nullif(b.bytes, 0)
        ) AS low
    FROM big AS b
    LEFT JOIN widths AS w
        ON w.oid = b.oid
    LEFT JOIN fresh AS f
        ON f.oid = b.oid
),

-- What its estimate makes suspicious, or what has none; the largest first, as long as the sum of pages that have
-- to be read stays small.
suspects AS (
    SELECT
        e.oid,
        -- A page that the visibility map vouches for costs a look at two maps.
        e.bytes / e.block - e.relallvisible + e.bytes / e.block / 16 AS pages,
        e.bytes
    FROM estimated AS e
    WHERE NOT e.is_locked
        AND NOT coalesce(e.complete AND e.is_fresh AND e.high - e.low <= 20 AND e.low < 40, FALSE)
),

affordable AS (
    SELECT
        s.oid,
        sum(s.pages) OVER w AS pages,
        pg_catalog.row_number() OVER w AS place
    FROM suspects AS s
    WHERE s.pages <= 8192
    WINDOW w AS (ORDER BY s.bytes DESC, s.oid ASC)
),

chosen AS MATERIALIZED (
    SELECT a.oid
    FROM affordable AS a
    WHERE a.pages <= 16384
        AND a.place <= 20
),

exact AS (
    SELECT
        c.oid,
        x.approx_free_percent + x.dead_tuple_percent AS loose
    FROM chosen AS c
    CROSS JOIN LATERAL :"schema".pgstattuple_approx(c.oid::pg_catalog.regclass) AS x
),

judged AS (
    SELECT
        e.name,
        e.relpages,
        e.bytes,
        coalesce(x.loose - (100 - e.fillfactor), e.low) AS percent,
        CASE WHEN x.oid IS NULL THEN e.analysed END AS since,
        CASE WHEN x.oid IS NULL THEN
                CASE
                    WHEN e.is_locked THEN 'locked'
                    WHEN e.relkind = 't' THEN 'TOAST'
                    WHEN NOT coalesce(e.complete, FALSE) AND e.analysed IS NOT NULL THEN 'hidden'
                    WHEN NOT coalesce(e.complete, FALSE) OR NOT e.is_fresh THEN 'stale'
                    WHEN e.high - e.low > 20 THEN 'vague'
                END
        END AS why,
        CASE
            WHEN x.oid IS NOT NULL
                THEN pg_catalog.format(
                        '%s of %s, counted',
                        pg_catalog.pg_size_pretty(
                            (greatest(x.loose - (100 - e.fillfactor), 0) / 100 * e.bytes)::bigint
                        ),
                        pg_catalog.pg_size_pretty(e.bytes)
                    )
            ELSE pg_catalog.format(
                    'about %s of %s, estimated from the statistics of %s',
                    pg_catalog.pg_size_pretty((greatest(e.low, 0) / 100 * e.bytes)::bigint),
                    pg_catalog.pg_size_pretty(e.bytes),
                    pg_catalog.to_char(e.analysed AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                )
        END AS detail
    FROM estimated AS e
    LEFT JOIN exact AS x
        ON x.oid = e.oid
),

result AS (
    SELECT
        j.name AS object,
        pg_catalog.round(greatest(j.percent, 0)::numeric, 1) AS measured,
        j.since,
        j.detail,
        'wnadmin tables bloat' AS fix
    FROM judged AS j
    WHERE j.why IS NULL
    UNION ALL
    -- One row a reason: what cannot be trusted is not shown as a number.
    SELECT
        pg_catalog.format('withheld: %s', j.why),
        NULL,
        NULL,
        pg_catalog.format(
            'withheld for %s tables of %s in all, the largest %s: %s',
            count(*),
            pg_catalog.pg_size_pretty(sum(coalesce(j.bytes, j.relpages * 8192::numeric))),
            (pg_catalog.array_agg(j.name ORDER BY j.relpages DESC))[1],
            CASE j.why
                WHEN 'locked' THEN 'locked exclusively, or somebody waits to lock them so'
                WHEN 'TOAST' THEN 'out-of-line values have no statistics, and they are too large to count'
                WHEN 'hidden' THEN 'pg_stats hides their columns from this login, and they are too large to count'
                WHEN 'stale' THEN 'the statistics are missing or outdated, and they are too large to count'
                WHEN 'vague' THEN 'their rows are too uneven for an estimate, and they are too large to count'
            END
        ),
        CASE j.why
            WHEN 'locked' THEN 'wnadmin locks tree'
            WHEN 'stale'
                THEN pg_catalog.format('ANALYZE %s', (pg_catalog.array_agg(j.name ORDER BY j.relpages DESC))[1])
            ELSE 'wnadmin tables bloat'
        END
    FROM judged AS j
    WHERE j.why IS NOT NULL
    GROUP BY j.why
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
