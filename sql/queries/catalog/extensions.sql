-- answers: Which of the extensions that WonderNest calls are there, and in which schema?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    e.extname::text AS name,
    jsonb_build_object('schema', n.nspname) AS facts
FROM pg_catalog.pg_extension AS e
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = e.extnamespace
WHERE e.extname = 'pgcrypto'
ORDER BY e.extname;
