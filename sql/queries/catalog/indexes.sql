-- answers: Which indexes are there in the schemas named in "schemas"? Those of partitions are left out.
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || c.relname AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'definition', pg_catalog.pg_get_indexdef(i.indexrelid),
        'invalid', nullif(NOT i.indisvalid, false)
    )) AS facts
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_class AS t
    ON t.oid = i.indrelid
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND NOT t.relispartition
    AND t.relkind IN ('r', 'p', 'm')
ORDER BY name;
