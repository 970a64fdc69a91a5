-- answers: Which indexes in the schemas named in "schemas" are invalid: begun without a transaction, not finished?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
    AND n.nspname = ANY (string_to_array(:'schemas'::text, ','))
ORDER BY name;
