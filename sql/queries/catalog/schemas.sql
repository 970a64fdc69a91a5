-- answers: Which schemas does the database have of those named in "schemas" (comma-separated)?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname::text AS name,
    jsonb_build_object(
        'owner', pg_catalog.pg_get_userbyid(n.nspowner),
        'comment', pg_catalog.obj_description(n.oid, 'pg_namespace') IS NOT NULL
    ) AS facts
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
ORDER BY n.nspname;
