-- answers: How are these relations of the connected database called, and these databases?
-- privileges: none
-- since: 15
-- cost: a catalog look-up for each
SELECT
    'relation' AS kind,
    c.oid::bigint AS oid,
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE c.oid = ANY (:'relations'::oid[])
UNION ALL
SELECT
    CASE WHEN d.datname = pg_catalog.current_database() THEN 'here' ELSE 'database' END,
    d.oid::bigint,
    d.datname::text
FROM pg_catalog.pg_database AS d;
