-- answers: Which default privileges are set for objects that the roles named in "roles" will make?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    r.rolname || ' ' || CASE d.defaclobjtype
        WHEN 'r' THEN 'tables'
        WHEN 'S' THEN 'sequences'
        WHEN 'f' THEN 'functions'
        WHEN 'T' THEN 'types'
        WHEN 'n' THEN 'schemas'
        ELSE d.defaclobjtype::text
    END || coalesce(' in ' || n.nspname, '') || ' to ' || coalesce(g.rolname::text, 'PUBLIC') AS name,
    jsonb_build_object('privileges', string_agg(
        a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY a.privilege_type
    )) AS facts
FROM pg_catalog.pg_default_acl AS d
INNER JOIN pg_catalog.pg_roles AS r
    ON r.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace AS n
    ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS a
LEFT JOIN pg_catalog.pg_roles AS g
    ON g.oid = a.grantee
WHERE r.rolname = ANY (string_to_array(:'roles'::text, ','))
GROUP BY
    r.rolname,
    d.defaclobjtype,
    n.nspname,
    g.rolname
ORDER BY name;
