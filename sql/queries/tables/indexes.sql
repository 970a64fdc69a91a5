-- answers: Which indexes have "least" bytes or more, what are they of, and can their table's statistics be trusted?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: one look at the file system an index
-- What has an ACCESS EXCLUSIVE lock that somebody holds or waits for is not touched; "locked" is true then.
WITH RECURSIVE locked AS MATERIALIZED (
    SELECT DISTINCT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
        AND l.mode = 'AccessExclusiveLock'
        AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
        AND l.database IN (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

tops AS (
    SELECT
        c.oid,
        c.oid AS top
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind = 'I'
        AND NOT c.relispartition
    UNION ALL
    SELECT
        h.inhrelid AS oid,
        t.top
    FROM tops AS t
    INNER JOIN pg_catalog.pg_inherits AS h
        ON h.inhparent = t.oid
),

found AS MATERIALIZED (
    SELECT
        i.indexrelid,
        i.indrelid,
        i.indkey,
        i.indpred,
        i.indexprs,
        i.indisunique,
        i.indisvalid,
        c.relname,
        c.reltuples,
        c.reloptions,
        n.nspname,
        m.amname,
        ki.oid IS NOT NULL OR kt.oid IS NOT NULL AS locked,
        CASE WHEN ki.oid IS NULL AND kt.oid IS NULL THEN pg_catalog.pg_relation_size(i.indexrelid) END AS bytes
    FROM pg_catalog.pg_index AS i
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = i.indexrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    INNER JOIN pg_catalog.pg_am AS m
        ON m.oid = c.relam
    LEFT JOIN locked AS ki
        ON ki.oid = i.indexrelid
    LEFT JOIN locked AS kt
        ON kt.oid = i.indrelid
    WHERE c.relkind = 'i'
        AND c.relpersistence <> 't'
        AND n.nspname <> 'information_schema'
        AND n.nspname NOT LIKE 'pg\_%'
)

SELECT
    f.indexrelid::bigint AS oid,
    coalesce(p.top, f.indexrelid)::bigint AS top,
    f.indrelid::bigint AS table_oid,
    pg_catalog.quote_ident(f.nspname) || '.' || pg_catalog.quote_ident(f.relname) AS name,
    pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS top_name,
    f.amname::text AS method,
    f.indpred IS NOT NULL AS partial,
    f.indexprs IS NOT NULL AS computed,
    f.indisunique AS is_unique,
    f.indisvalid AS is_valid,
    f.indkey::text AS columns,
    f.locked,
    f.bytes,
    f.reltuples::double precision AS entries,
    h.reltuples::double precision AS estimated_rows,
    coalesce(s.n_mod_since_analyze, 0) AS changed_since_analyze,
    greatest(s.last_analyze, s.last_autoanalyze) AS analyzed_at,
    coalesce(
        (
            SELECT o.option_value::int
            FROM pg_catalog.pg_options_to_table(f.reloptions) AS o
            WHERE o.option_name = 'fillfactor'
        ),
        90
    ) AS fill
FROM found AS f
INNER JOIN pg_catalog.pg_class AS h
    ON h.oid = f.indrelid
LEFT JOIN tops AS p
    ON p.oid = f.indexrelid
INNER JOIN pg_catalog.pg_class AS t
    ON t.oid = coalesce(p.top, f.indexrelid)
INNER JOIN pg_catalog.pg_namespace AS tn
    ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_tables AS s
    ON s.relid = f.indrelid
WHERE f.locked
    OR f.bytes >= :'least'::bigint
ORDER BY f.bytes DESC NULLS LAST, f.indexrelid ASC;
