-- answers: Which tables have indexes or foreign keys, whose partition are they, and how many rows are estimated?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: catalogs
SELECT
    c.oid::bigint AS oid,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
    c.relkind = 'p' AS partitioned,
    coalesce(h.inhparent, 0)::bigint AS parent_oid,
    greatest(c.reltuples, 0)::bigint AS estimated_rows,
    c.reltuples < 0 AS never_counted,
    coalesce(e.extname::text, '') AS extension
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits AS h
    ON h.inhrelid = c.oid
    AND c.relispartition
LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::regclass
    AND d.objid = c.oid
    AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_extension'::regclass
    AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e
    ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'm')
    AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema'
    AND n.nspname NOT LIKE 'pg\_%'
ORDER BY c.oid;
