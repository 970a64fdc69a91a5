-- answers: Which constraints did an interrupted run leave at the default partition with the OID "part"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
SELECT k.conname::text AS name
FROM pg_catalog.pg_constraint AS k
WHERE k.conrelid = :'part'::oid
    AND k.contype = 'c'
    AND starts_with(k.conname::text, 'wnadmin_excludes_')
ORDER BY k.conname;
