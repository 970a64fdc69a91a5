-- answers: Which names are taken in "schema"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
SELECT c.relname::text AS name
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = :'schema'::text
ORDER BY c.relname;
