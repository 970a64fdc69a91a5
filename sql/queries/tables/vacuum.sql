-- answers: What has each table and TOAST table collected since its last vacuum, and how old are its transactions?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: catalogs and statistics; no relation is opened
WITH RECURSIVE tops AS (
    SELECT
        c.oid,
        c.oid AS top
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'm')
        AND NOT c.relispartition
    UNION ALL
    SELECT
        h.inhrelid AS oid,
        t.top
    FROM tops AS t
    INNER JOIN pg_catalog.pg_inherits AS h
        ON h.inhparent = t.oid
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = h.inhrelid
        AND c.relispartition
),

heaps AS (
    SELECT
        t.oid,
        t.oid AS owner,
        t.top
    FROM tops AS t
    UNION ALL
    SELECT
        c.reltoastrelid AS oid,
        t.oid AS owner,
        t.top
    FROM tops AS t
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = t.oid
    WHERE c.reltoastrelid <> 0
)

SELECT
    h.oid::bigint AS oid,
    h.top::bigint AS top,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.relname) AS name,
    pg_catalog.quote_ident(rn.nspname) || '.' || pg_catalog.quote_ident(r.relname) AS top_name,
    c.relkind = 't' AS toast,
    n.nspname = 'information_schema' OR n.nspname LIKE 'pg\_%' AS system,
    c.relpersistence = 't' AS temporary,
    c.reltuples::double precision AS estimated_rows,
    c.relpages AS pages,
    0::int AS frozen_pages,
    coalesce(s.n_dead_tup, 0) AS dead,
    coalesce(s.n_live_tup, 0) AS live,
    coalesce(s.n_ins_since_vacuum, 0) AS inserted,
    coalesce(s.n_mod_since_analyze, 0) AS changed,
    s.last_vacuum AS vacuumed_at,
    s.last_autovacuum AS autovacuumed_at,
    s.last_analyze AS analyzed_at,
    s.last_autoanalyze AS autoanalyzed_at,
    CASE WHEN c.relfrozenxid <> '0' THEN pg_catalog.age(c.relfrozenxid) ELSE 0 END::bigint AS xid_age,
    CASE WHEN c.relminmxid <> '0' THEN pg_catalog.mxid_age(c.relminmxid) ELSE 0 END::bigint AS mxid_age,
    -- A TOAST table without options of its own follows those of its table.
    coalesce(c.reloptions, CASE WHEN c.relkind = 't' THEN o.reloptions END, '{}') AS options
FROM heaps AS h
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = h.oid
INNER JOIN pg_catalog.pg_class AS o
    ON o.oid = h.owner
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = o.relnamespace
INNER JOIN pg_catalog.pg_class AS r
    ON r.oid = h.top
INNER JOIN pg_catalog.pg_namespace AS rn
    ON rn.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_tables AS s
    ON s.relid = h.oid
WHERE c.relkind <> 'p'
ORDER BY h.oid;
