-- answers: Which constraints of the partition with the OID "part" say what its bounds say, as a detach leaves one?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
SELECT k.conname::text AS name
FROM pg_catalog.pg_constraint AS k
WHERE k.conrelid = :'part'::oid
    AND k.contype = 'c'
    AND k.coninhcount = 0
    AND pg_catalog.pg_get_constraintdef(k.oid)
    = pg_catalog.format('CHECK (%s)', pg_catalog.pg_get_partition_constraintdef(:'part'::oid))
ORDER BY k.conname;
