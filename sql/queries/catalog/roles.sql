-- answers: What may the roles named in "roles" (comma-separated) do in the whole cluster, and what is set for them?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    r.rolname::text AS name,
    jsonb_build_object(
        'login', r.rolcanlogin,
        'superuser', r.rolsuper,
        'createrole', r.rolcreaterole,
        'createdb', r.rolcreatedb,
        'replication', r.rolreplication,
        'bypassrls', r.rolbypassrls,
        'inherit', r.rolinherit,
        'connection_limit', r.rolconnlimit,
        'settings', coalesce((
            SELECT jsonb_agg(s.setting ORDER BY s.setting)
            FROM pg_catalog.pg_db_role_setting AS d
            CROSS JOIN LATERAL unnest(d.setconfig) AS s (setting)
            WHERE d.setrole = r.oid
                AND d.setdatabase = 0
        ), '[]'::jsonb)
    ) AS facts
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = ANY (string_to_array(:'roles'::text, ','))
ORDER BY r.rolname;
