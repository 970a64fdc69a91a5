-- answers: how much of the big indexes is neither entry nor reserve?
-- title: Bloat of indexes
-- area: indexes
-- unit: %
-- warn: > 50
-- where: primary
-- preset: nightly
-- none: no btree index is larger than 16 MB
-- extension: pgstattuple
-- privileges: SELECT on the columns, or pg_stat_scan_tables and the extension pgstattuple; what is hidden is withheld
-- since: 15
-- cost: one pass over the indexes, and the statistics of the 100 largest
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

-- Their indexes may be larger than they were when their pages were counted.
grown AS MATERIALIZED (
    SELECT c.oid
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'm')
        AND pg_catalog.pg_stat_get_live_tuples(c.oid) >= 400000
),

candidates AS MATERIALIZED (
    SELECT
        x.indexrelid,
        x.indrelid,
        x.indisunique,
        x.indnatts,
        x.indnkeyatts,
        x.indkey,
        0 = ANY (x.indkey::int2[]) OR x.indpred IS NOT NULL AS is_computed,
        n.nspname,
        i.relname,
        i.relpages,
        i.reltuples::numeric AS rows,
        coalesce((pg_catalog.regexp_match(i.reloptions::text, 'fillfactor=([0-9]+)'))[1]::int, 90) AS fillfactor,
        coalesce(i.reloptions::text ~ 'deduplicate_items=(off|false|0|no)', FALSE) AS is_plain,
        EXISTS (
            SELECT 1
            FROM locked AS l
            WHERE l.relation IN (x.indexrelid, x.indrelid)
        ) AS is_locked
    FROM pg_catalog.pg_class AS i
    INNER JOIN pg_catalog.pg_index AS x
        ON x.indexrelid = i.oid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = i.relnamespace
    WHERE i.relkind = 'i'
        AND i.relpersistence <> 't'
        AND i.relam = (
            SELECT m.oid
            FROM pg_catalog.pg_am AS m
            WHERE m.amname = 'btree'
        )
        AND x.indisvalid
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND (
            i.relpages >= 2048
            OR x.indrelid IN (
                SELECT g.oid
                FROM grown AS g
            )
        )
    ORDER BY i.relpages DESC
    LIMIT 100
),

sized AS MATERIALIZED (
    SELECT
        c.indexrelid,
        c.indrelid,
        c.indisunique,
        c.indnatts,
        c.indnkeyatts,
        c.indkey,
        c.is_computed,
        pg_catalog.format('%I.%I', c.nspname, c.relname) AS name,
        c.relpages,
        c.rows,
        c.fillfactor,
        c.is_plain,
        c.is_locked,
        tn.nspname,
        t.relname,
        CASE WHEN NOT c.is_locked THEN pg_catalog.pg_relation_size(c.indexrelid) END AS bytes,
        pg_catalog.current_setting('block_size')::int AS block
    FROM candidates AS c
    INNER JOIN pg_catalog.pg_class AS t
        ON t.oid = c.indrelid
    INNER JOIN pg_catalog.pg_namespace AS tn
        ON tn.oid = t.relnamespace
),

big AS (
    SELECT
        s.indexrelid,
        s.indrelid,
        s.indisunique,
        s.indnatts,
        s.indnkeyatts,
        s.indkey,
        s.is_computed,
        s.name,
        s.relpages,
        s.rows,
        s.fillfactor,
        s.is_plain,
        s.is_locked,
        s.nspname,
        s.relname,
        s.bytes,
        s.block
    FROM sized AS s
    -- 16 MB: less is rebuilt in no time.
    WHERE s.is_locked
        OR s.bytes >= 16777216
),

described AS (
    SELECT
        b.indexrelid,
        b.rows,
        k.place <= b.indnkeyatts AS is_key,
        (
            SELECT ARRAY[s.null_frac, s.avg_width, s.n_distinct]
            FROM pg_catalog.pg_stats AS s
            WHERE s.schemaname = b.nspname
                AND s.tablename = b.relname
                AND s.attname = a.attname
                AND NOT s.inherited
        ) AS facts
    FROM big AS b
    CROSS JOIN LATERAL pg_catalog.unnest(b.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = b.indrelid
        AND a.attnum = k.attnum
    WHERE NOT b.is_computed
),

columns AS (
    SELECT
        d.indexrelid,
        d.is_key,
        d.facts[1] AS null_frac,
        d.facts[2] AS avg_width,
        -- A negative number is a share of the rows.
        CASE WHEN d.facts[3] < 0 THEN -d.facts[3] * d.rows ELSE d.facts[3] END AS variety
    FROM described AS d
),

widths AS (
    SELECT
        c.indexrelid,
        bool_and(c.avg_width IS NOT NULL) AS complete,
        -- An entry begins with 8 bytes, 16 where it may hold NULL, and its line pointer takes 4.
        4 + pg_catalog.ceil(
            (
                (CASE WHEN bool_or(c.null_frac > 0) THEN 16 ELSE 8 END + sum((1 - c.null_frac) * c.avg_width)) / 8
            )::numeric
        ) * 8 AS entry,
        -- There are at least as many different keys as its most varied column has values.
        greatest(max(c.variety) FILTER (WHERE c.is_key), 1)::numeric AS variety
    FROM columns AS c
    GROUP BY c.indexrelid
),

fresh AS (
    SELECT
        b.indexrelid,
        greatest(
            pg_catalog.pg_stat_get_last_analyze_time(b.indrelid),
            pg_catalog.pg_stat_get_last_autoanalyze_time(b.indrelid)
        ) AS analysed,
        pg_catalog.pg_stat_get_mod_since_analyze(b.indrelid) AS changed
    FROM big AS b
),

-- Equal keys share an entry unless that is switched off: how much room they need lies between none shared and all.
needed AS (
    SELECT
        b.indexrelid,
        w.complete,
        b.rows * w.entry AS most,
        CASE
            WHEN b.indisunique OR b.is_plain OR b.indnatts > b.indnkeyatts THEN b.rows * w.entry
            ELSE least(w.variety, b.rows) * w.entry + greatest(b.rows - w.variety, 0) * 6
        END AS least_bytes,
        (b.block - 40) * b.fillfactor / 100.0 AS room
    FROM big AS b
    INNER JOIN widths AS w
        ON w.indexrelid = b.indexrelid
),

estimated AS (
    SELECT
        b.indexrelid,
        b.name,
        pg_catalog.format('%I.%I', b.nspname, b.relname) AS table_name,
        b.relpages,
        b.is_locked,
        b.is_computed,
        b.fillfactor,
        b.bytes,
        b.block,
        f.analysed,
        n.complete,
        f.analysed IS NOT NULL
        AND f.changed <= 0.1 * greatest(b.rows, 1)
        AND b.rows >= 0
        AND abs(b.relpages * b.block::numeric - b.bytes) <= 0.1 * b.bytes AS is_fresh,
        100 * (1 - n.least_bytes / n.room * b.block / nullif(b.bytes, 0)) AS high,
        100 * (1 - n.most / n.room * b.block / nullif(b.bytes, 0)) AS low
    FROM big AS b
    LEFT JOIN needed AS n
        ON n.indexrelid = b.indexrelid
    LEFT JOIN fresh AS f
        ON f.indexrelid = b.indexrelid
),

judged AS (
    SELECT
        e.name,
        e.table_name,
        e.relpages,
        e.bytes,
        e.low AS percent,
        e.analysed AS since,
        CASE
            WHEN e.is_locked THEN 'locked'
            WHEN e.is_computed THEN 'expression'
            WHEN NOT coalesce(e.complete, FALSE) AND e.analysed IS NOT NULL THEN 'hidden'
            WHEN NOT coalesce(e.complete, FALSE) OR NOT e.is_fresh THEN 'stale'
            WHEN greatest(e.high, 0) - greatest(e.low, 0) > 20 THEN 'vague'
        END AS why,
        pg_catalog.format(
            'about %s of %s, estimated from the statistics of %s',
            pg_catalog.pg_size_pretty((greatest(e.low, 0) / 100 * e.bytes)::bigint),
            pg_catalog.pg_size_pretty(e.bytes),
            pg_catalog.to_char(e.analysed AT TIME ZONE 'UTC', 'YYYY-MM-DD')
        ) AS detail
    FROM estimated AS e
),

result AS (
    SELECT
        j.name AS object,
        pg_catalog.round(greatest(j.percent, 0)::numeric, 1) AS measured,
        j.since,
        j.detail,
        pg_catalog.format('REINDEX INDEX CONCURRENTLY %s', j.name) AS fix
    FROM judged AS j
    WHERE j.why IS NULL
    UNION ALL
    -- One row a reason: what cannot be trusted is not shown as a number.
    SELECT
        pg_catalog.format('withheld: %s', j.why),
        NULL,
        NULL,
        pg_catalog.format(
            'withheld for %s indexes of %s in all, the largest %s: %s',
            count(*),
            pg_catalog.pg_size_pretty(sum(coalesce(j.bytes, j.relpages * 8192::numeric))),
            (pg_catalog.array_agg(j.name ORDER BY j.relpages DESC))[1],
            CASE j.why
                WHEN 'locked' THEN 'locked exclusively, or somebody waits to lock them so'
                WHEN 'expression' THEN 'those partial or of expressions cannot be estimated'
                WHEN 'hidden' THEN 'pg_stats hides their columns from this login'
                WHEN 'stale' THEN 'the statistics are missing or outdated'
                WHEN 'vague' THEN 'how many keys are equal is not known well enough'
            END
        ),
        CASE j.why
            WHEN 'locked' THEN 'wnadmin locks tree'
            WHEN 'stale'
                THEN pg_catalog.format('ANALYZE %s', (pg_catalog.array_agg(j.table_name ORDER BY j.relpages DESC))[1])
            ELSE 'CREATE EXTENSION pgstattuple SCHEMA extensions'
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
