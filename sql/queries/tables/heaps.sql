-- answers: Which tables and TOAST tables have "least" bytes or more, how big are they, and can their statistics be
-- trusted?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: one look at the file system a table
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
),

found AS MATERIALIZED (
    SELECT
        h.oid,
        h.owner,
        h.top,
        o.relname,
        n.nspname,
        r.relname AS top_relname,
        rn.nspname AS top_nspname,
        c.relkind,
        c.reltuples,
        c.reloptions,
        a.amname,
        ki.oid IS NOT NULL OR kt.oid IS NOT NULL AS locked,
        CASE WHEN ki.oid IS NULL AND kt.oid IS NULL THEN pg_catalog.pg_relation_size(h.oid, 'main') END AS bytes
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
    LEFT JOIN pg_catalog.pg_am AS a
        ON a.oid = c.relam
    LEFT JOIN locked AS ki
        ON ki.oid = h.oid
    LEFT JOIN locked AS kt
        ON kt.oid = h.owner
    WHERE c.relkind <> 'p'
        AND c.relpersistence <> 't'
        AND n.nspname <> 'information_schema'
        AND n.nspname NOT LIKE 'pg\_%'
)

SELECT
    f.oid::bigint AS oid,
    f.owner::bigint AS owner,
    f.top::bigint AS top,
    pg_catalog.quote_ident(f.nspname) || '.' || pg_catalog.quote_ident(f.relname) AS name,
    pg_catalog.quote_ident(f.top_nspname) || '.' || pg_catalog.quote_ident(f.top_relname) AS top_name,
    f.relkind = 't' AS toast,
    coalesce(f.amname::text, '') AS method,
    f.locked,
    f.bytes,
    f.reltuples::double precision AS estimated_rows,
    coalesce(s.n_mod_since_analyze, 0) AS changed_since_analyze,
    greatest(s.last_analyze, s.last_autoanalyze) AS analyzed_at,
    coalesce(
        (
            SELECT o.option_value::int
            FROM pg_catalog.pg_options_to_table(f.reloptions) AS o
            WHERE o.option_name = 'fillfactor'
        ),
        100
    ) AS fill
FROM found AS f
LEFT JOIN pg_catalog.pg_stat_all_tables AS s
    ON s.relid = f.oid
WHERE f.locked
    OR f.bytes >= :'least'::bigint
ORDER BY f.bytes DESC NULLS LAST, f.oid ASC;
