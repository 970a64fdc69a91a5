-- answers: What is the list of privileges of one object of this database, as it stands?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- One row, with '' for a list that was never written; none where the object is gone. "detail" is the column of a column
-- and the arguments of a function, else ''.
WITH lists AS (
    SELECT c.relacl AS list
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE :'kind'::text IN ('table', 'sequence')
        AND n.nspname = :'schema'::text
        AND c.relname = :'name'::text
    UNION ALL
    SELECT k.attacl
    FROM pg_catalog.pg_attribute AS k
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = k.attrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE :'kind'::text = 'column'
        AND n.nspname = :'schema'::text
        AND c.relname = :'name'::text
        AND k.attname = :'detail'::text
    UNION ALL
    SELECT n.nspacl
    FROM pg_catalog.pg_namespace AS n
    WHERE :'kind'::text = 'schema'
        AND n.nspname = :'name'::text
    UNION ALL
    SELECT d.datacl
    FROM pg_catalog.pg_database AS d
    WHERE :'kind'::text = 'database'
        AND d.datname = :'name'::text
        AND d.datname = pg_catalog.current_database()
    UNION ALL
    SELECT p.proacl
    FROM pg_catalog.pg_proc AS p
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = p.pronamespace
    WHERE :'kind'::text = 'function'
        AND n.nspname = :'schema'::text
        AND p.proname = :'name'::text
        AND pg_catalog.pg_get_function_identity_arguments(p.oid) = :'detail'::text
)

SELECT coalesce(x.list::text, '') AS list
FROM lists AS x;
