-- answers: Which partitions of the table with the OID "parent" differ from it in owner, protection or privileges?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
WITH acl AS (
    SELECT
        c.oid,
        g.grantee,
        g.privilege_type,
        g.is_grantable
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))) AS g
    WHERE c.oid = :'parent'::oid
        OR c.oid IN (
            SELECT i.inhrelid
            FROM pg_catalog.pg_inherits AS i
            WHERE i.inhparent = :'parent'::oid
        )
)

SELECT
    c.oid::bigint AS oid,
    c.relowner = p.relowner AS same_owner,
    c.relrowsecurity = p.relrowsecurity AND c.relforcerowsecurity = p.relforcerowsecurity AS same_protection,
    NOT EXISTS (
        (
            SELECT
                a.grantee,
                a.privilege_type,
                a.is_grantable
            FROM acl AS a
            WHERE a.oid = c.oid
            EXCEPT
            SELECT
                a.grantee,
                a.privilege_type,
                a.is_grantable
            FROM acl AS a
            WHERE a.oid = p.oid
        )
        UNION ALL
        (
            SELECT
                a.grantee,
                a.privilege_type,
                a.is_grantable
            FROM acl AS a
            WHERE a.oid = p.oid
            EXCEPT
            SELECT
                a.grantee,
                a.privilege_type,
                a.is_grantable
            FROM acl AS a
            WHERE a.oid = c.oid
        )
    ) AS same_grants
FROM pg_catalog.pg_inherits AS i
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = i.inhrelid
INNER JOIN pg_catalog.pg_class AS p
    ON p.oid = i.inhparent
WHERE i.inhparent = :'parent'::oid
    AND NOT i.inhdetachpending
ORDER BY c.oid;
