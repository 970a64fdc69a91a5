-- answers: Which partitions has each partitioned table, within which bounds, how big?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: reads the bounds of all partitions, and asks for the size of each that nobody has locked
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

parts AS MATERIALIZED (
    SELECT
        i.inhparent,
        i.inhdetachpending,
        c.oid,
        n.nspname,
        c.relname,
        c.relkind,
        c.reltuples,
        -- FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')
        pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_catalog.pg_inherits AS i
    INNER JOIN pg_catalog.pg_partitioned_table AS t
        ON t.partrelid = i.inhparent
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = i.inhrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f')
        AND c.relpersistence <> 't'
)

SELECT
    p.inhparent::bigint AS parent,
    p.oid::bigint AS oid,
    p.nspname::text AS schema,
    p.relname::text AS name,
    p.relkind::text AS kind,
    p.inhdetachpending AS pending,
    -- In the zone of the session, with its offset where the type has one.
    p.bound,
    pg_catalog.obj_description(p.oid, 'pg_class') AS comment,
    CASE WHEN p.reltuples < 0 THEN NULL ELSE p.reltuples::bigint END AS estimated_rows,
    CASE
        WHEN p.relkind = 'r' AND p.oid NOT IN (
                SELECT l.relation
                FROM locked AS l
            )
            THEN pg_catalog.pg_total_relation_size(p.oid)
    END AS bytes
FROM parts AS p
ORDER BY
    p.inhparent,
    p.nspname,
    p.relname;
