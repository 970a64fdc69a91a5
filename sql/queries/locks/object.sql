-- answers: What is this object of the connected database? (no row: there is no such catalog)
-- privileges: none
-- since: 15
-- cost: a catalog look-up
SELECT pg_catalog.pg_describe_object(c.oid, :'object'::oid, :'sub'::integer) AS name
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
    AND n.nspname = 'pg_catalog'
WHERE c.oid = :'class'::oid
    AND c.relkind = 'r';
