-- answers: How would one make this index again, with all that DROP INDEX takes away? "oid" is the index.
-- privileges: none beyond CONNECT
-- since: 15
-- cost: one index; opens its table, so it waits for whoever has that locked
SELECT
    pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
    CASE WHEN o.oid IS NOT NULL THEN pg_catalog.pg_get_constraintdef(o.oid) END AS constraint_definition,
    CASE WHEN o.oid IS NOT NULL THEN pg_catalog.quote_ident(o.conname) END AS constraint_name,
    pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS table_name,
    pg_catalog.quote_ident(s.spcname) AS tablespace,
    pg_catalog.obj_description(i.indexrelid, 'pg_class') AS comment,
    i.indisclustered AS is_clustered,
    i.indisreplident AS is_replica_identity,
    coalesce((
        SELECT pg_catalog.array_agg(a.attnum || ' ' || a.attstattarget ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = i.indexrelid
            AND a.attstattarget >= 0
    ), '{}') AS statistics_targets,
    coalesce((
        SELECT pg_catalog.array_agg(pg_catalog.quote_ident(e.extname) ORDER BY e.extname)
        FROM pg_catalog.pg_depend AS d
        INNER JOIN pg_catalog.pg_extension AS e
            ON e.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            AND d.deptype = 'x'
    ), '{}') AS extensions
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class AS t
    ON t.oid = i.indrelid
INNER JOIN pg_catalog.pg_namespace AS tn
    ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_tablespace AS s
    ON s.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_constraint AS o
    ON o.conindid = i.indexrelid
    AND o.contype IN ('p', 'u', 'x')
WHERE i.indexrelid = :'oid'::oid;
