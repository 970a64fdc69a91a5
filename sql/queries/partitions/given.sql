-- answers: Who would get privileges on a new table in "schema" by default, when the current role makes it?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
SELECT DISTINCT coalesce(pg_catalog.pg_get_userbyid(nullif(g.grantee, 0))::text, '') AS grantee
FROM pg_catalog.pg_default_acl AS d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS g
WHERE d.defaclobjtype = 'r'
    AND d.defaclrole = (
        SELECT r.oid
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = :'role'::text
    )
    AND (
        d.defaclnamespace = 0
        OR d.defaclnamespace = (
            SELECT n.oid
            FROM pg_catalog.pg_namespace AS n
            WHERE n.nspname = :'schema'::text
        )
    )
    AND g.grantee <> d.defaclrole
ORDER BY 1;
