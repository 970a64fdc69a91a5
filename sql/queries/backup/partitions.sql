-- answers: Which partitions hang on which parent, with which bounds?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- The bounds are printed in the session's TimeZone.
SELECT
    n.nspname || '.' || p.relname AS parent,
    m.nspname || '.' || c.relname AS name,
    pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_catalog.pg_inherits AS i
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = i.inhrelid
INNER JOIN pg_catalog.pg_namespace AS m
    ON m.oid = c.relnamespace
INNER JOIN pg_catalog.pg_class AS p
    ON p.oid = i.inhparent
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = p.relnamespace
WHERE p.relkind = 'p'
    AND c.relkind IN ('r', 'p', 'f')
    AND NOT i.inhdetachpending
ORDER BY
    n.nspname,
    p.relname,
    m.nspname,
    c.relname;
