-- answers: Which tables in the schemas named in "schemas" are former partitions that wnadmin detached and still keeps?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND c.relkind = 'r'
    AND NOT c.relispartition
    AND starts_with(pg_catalog.obj_description(c.oid, 'pg_class'), 'wnadmin:detached')
ORDER BY name;
