-- answers: Which constraints do the tables in the schemas named in "schemas" have? NOT NULL is a column's fact.
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- Since 18 a NOT NULL is a row here too; comparing majors needs it in one place only.
SELECT
    n.nspname || '.' || c.relname || ' ' || k.conname AS name,
    jsonb_build_object('definition', pg_catalog.pg_get_constraintdef(k.oid)) AS facts
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = k.conrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND NOT c.relispartition
    AND k.contype IN ('c', 'f', 'p', 'u', 'x')
    AND k.conparentid = 0
ORDER BY name;
