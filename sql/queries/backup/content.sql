-- answers: What does the connected database hold beyond what every new database holds?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- Objects of initdb have an oid below 16384.
SELECT 'schema ' || n.nspname AS thing
FROM pg_catalog.pg_namespace AS n
WHERE n.oid >= 16384
    AND n.nspname NOT LIKE 'pg\_t%'
UNION ALL
SELECT 'relation ' || n.nspname || '.' || c.relname
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE c.oid >= 16384
    AND n.oid < 16384
    AND n.nspname NOT LIKE 'pg\_t%'
UNION ALL
SELECT 'function ' || n.nspname || '.' || f.proname
FROM pg_catalog.pg_proc AS f
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = f.pronamespace
WHERE f.oid >= 16384
    AND n.oid < 16384
UNION ALL
SELECT 'type ' || n.nspname || '.' || t.typname
FROM pg_catalog.pg_type AS t
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = t.typnamespace
WHERE t.oid >= 16384
    AND n.oid < 16384
    AND n.nspname NOT LIKE 'pg\_t%'
    AND t.typtype IN ('d', 'e')
ORDER BY 1
LIMIT 5;
