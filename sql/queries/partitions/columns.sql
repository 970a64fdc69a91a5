-- answers: Which columns of the table with the OID "part" can be written to?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
SELECT a.attname::text AS name
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = :'part'::oid
    AND a.attnum > 0
    AND a.attgenerated = ''
    AND NOT a.attisdropped
ORDER BY a.attnum;
