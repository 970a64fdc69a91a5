-- answers: Which tables hold the rows of the table "oid", within which bounds, and in which order?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look, and the size of each partition
-- "time_column" is the column that the age is told from. Without partitions it is the table itself.
WITH leaf AS (
    SELECT
        p.relid::oid AS oid,
        p.parentrelid::oid = :'oid'::oid AS is_direct
    FROM pg_catalog.pg_partition_tree(:'oid'::oid::regclass) AS p
    WHERE p.isleaf
    UNION
    SELECT
        c.oid,
        false
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = :'oid'::oid
        AND c.relkind = 'r'
        AND NOT c.relispartition
),

place AS (
    SELECT
        l.oid,
        l.is_direct,
        n.nspname,
        c.relname,
        pg_catalog.pg_relation_size(c.oid)
        / pg_catalog.current_setting('block_size')::bigint AS pages,
        pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM leaf AS l
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = l.oid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE c.relkind = 'r'
),

ordered AS (
    SELECT
        p.oid,
        pg_catalog.bool_or(a.attname = :'time_column'::text AND x.indpred IS NULL) AS by_time,
        pg_catalog.bool_or(
            a.attname = 'retention_until'
            AND (x.indpred IS NULL OR pg_catalog.pg_get_expr(x.indpred, x.indrelid) = '(NOT legal_hold)')
        ) AS by_until
    FROM place AS p
    INNER JOIN pg_catalog.pg_index AS x
        ON x.indrelid = p.oid
        AND x.indisvalid
    INNER JOIN pg_catalog.pg_class AS i
        ON i.oid = x.indexrelid
    INNER JOIN pg_catalog.pg_am AS m
        ON m.oid = i.relam
        AND m.amname = 'btree'
    INNER JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = p.oid
        AND a.attnum = x.indkey[0]
    GROUP BY p.oid
)

SELECT
    p.oid::bigint AS oid,
    p.nspname::text AS schema,
    p.relname::text AS name,
    p.pages,
    (pg_catalog.regexp_match(CASE WHEN p.is_direct THEN p.bound END, $re$FROM \('([^']+)'\)$re$))[1] AS lower,
    (pg_catalog.regexp_match(CASE WHEN p.is_direct THEN p.bound END, $re$TO \('([^']+)'\)$re$))[1] AS upper,
    coalesce(o.by_time, false) AS by_time,
    coalesce(o.by_until, false) AS by_until
FROM place AS p
LEFT JOIN ordered AS o
    ON o.oid = p.oid
ORDER BY
    lower ASC NULLS FIRST,
    p.nspname ASC,
    p.relname ASC;
