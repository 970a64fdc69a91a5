-- answers: Who may do what with the table with the OID "parent", in the order in which it was granted?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
-- Reads and writes through a parent ask for the parent's privileges only; a partition has the same, so that what is
-- done to it directly is allowed to the same roles.
SELECT
    coalesce(pg_catalog.pg_get_userbyid(nullif(g.grantee, 0))::text, '') AS grantee,
    g.grantee = c.relowner AS is_owner,
    pg_catalog.array_agg(g.privilege_type ORDER BY g.place) FILTER (WHERE NOT g.is_grantable) AS privileges,
    pg_catalog.array_agg(g.privilege_type ORDER BY g.place) FILTER (WHERE g.is_grantable) AS grantable
FROM pg_catalog.pg_class AS c
CROSS JOIN
    LATERAL pg_catalog.aclexplode(c.relacl) WITH ORDINALITY AS g (
        grantor, grantee, privilege_type, is_grantable, place
    )
WHERE c.oid = :'parent'::oid
GROUP BY
    g.grantee,
    c.relowner
ORDER BY min(g.place);
