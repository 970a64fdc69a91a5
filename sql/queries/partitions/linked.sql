-- answers: Which tables does a partition of the table with the OID "parent" share foreign keys with?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
-- Attaching and detaching lock them against writers; in the order of their OIDs, so that two do not cross.
SELECT DISTINCT
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    k.confrelid = :'parent'::oid AS refers
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = CASE WHEN k.conrelid = :'parent'::oid THEN k.confrelid ELSE k.conrelid END
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE k.contype = 'f'
    AND k.conparentid = 0
    AND :'parent'::oid IN (k.conrelid, k.confrelid)
    AND k.conrelid <> k.confrelid
ORDER BY
    1,
    4;
