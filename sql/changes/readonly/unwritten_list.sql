-- does: makes the privileges of a function again those that were never written, where they are the same already
-- privileges: superuser
-- since: 15
-- cost: one row of a catalog
-- GRANT writes a list out, and no command takes it back; what the list says does not change here.
UPDATE pg_catalog.pg_proc AS p
SET proacl = NULL
FROM pg_catalog.pg_namespace AS n
WHERE n.oid = p.pronamespace
    AND n.nspname = :'schema'::text
    AND p.proname = :'name'::text
    AND pg_catalog.pg_get_function_identity_arguments(p.oid) = :'detail'::text
    AND p.proacl @> pg_catalog.acldefault('f', p.proowner)
    AND pg_catalog.acldefault('f', p.proowner) @> p.proacl;
