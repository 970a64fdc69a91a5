-- answers: Which columns tell rows apart well, on tables of "least" rows or more? What pg_stats says of them.
-- privileges: SELECT on the columns: pg_stats hides all others, and all of a table under row-level security from
-- whoever its policies apply to; "seen" is false for those
-- since: 15
-- cost: the statistics of the tables of that size; no value of any column is read
WITH big AS MATERIALIZED (
    SELECT
        c.oid,
        c.relname,
        c.relkind,
        n.nspname,
        c.reltuples
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p')
        AND NOT c.relispartition
        AND c.relpersistence <> 't'
        AND c.reltuples >= :'least'::bigint
        AND n.nspname <> 'information_schema'
        AND n.nspname NOT LIKE 'pg\_%'
)

SELECT
    b.oid::bigint AS table_oid,
    pg_catalog.quote_ident(b.nspname) || '.' || pg_catalog.quote_ident(b.relname) AS table_name,
    a.attnum::int AS position,
    pg_catalog.quote_ident(a.attname) AS column_name,
    b.reltuples::bigint AS estimated_rows,
    s.attname IS NOT NULL AS seen,
    pg_catalog.has_column_privilege(b.oid, a.attnum, 'SELECT')
    AND NOT pg_catalog.row_security_active(b.oid) AS allowed,
    coalesce(s.n_distinct, 0)::double precision AS distinct_values,
    coalesce(s.null_frac, 0)::double precision AS nulls,
    s.correlation::double precision AS correlation,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_opclass AS k
        INNER JOIN pg_catalog.pg_am AS m
            ON m.oid = k.opcmethod
        WHERE m.amname = 'btree'
            AND k.opcdefault
            AND k.opcintype = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END
    ) OR t.typtype IN ('e', 'r') OR t.typname = 'varchar' AS sortable
FROM big AS b
INNER JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = b.oid
INNER JOIN pg_catalog.pg_type AS t
    ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_stats AS s
    ON s.schemaname = b.nspname
    AND s.tablename = b.relname
    AND s.attname = a.attname
    AND s.inherited = (b.relkind = 'p')
WHERE a.attnum > 0
    AND NOT a.attisdropped
ORDER BY b.oid, a.attnum;
