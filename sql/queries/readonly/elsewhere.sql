-- answers: Which other databases of this cluster does it reach when these memberships and logins are taken away?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: one pass over pg_shdepend
-- A membership reaches a database in which its role owns or holds something and which its member may connect to, a
-- login every database that it may connect to. Memberships are given as "roles" and "members", lists of one length.
SELECT
    d.datname::text AS database,
    string_agg(DISTINCT x.member, ', ' ORDER BY x.member) AS roles
FROM (
    SELECT
        g.oid AS role_oid,
        m.oid AS member_oid,
        m.rolname::text AS member
    FROM unnest(:'roles'::text[], :'members'::text[]) AS t (role, member)
    INNER JOIN pg_catalog.pg_roles AS g
        ON g.rolname = t.role
    INNER JOIN pg_catalog.pg_roles AS m
        ON m.rolname = t.member
    UNION ALL
    SELECT
        NULL,
        l.oid,
        l.rolname::text
    FROM pg_catalog.pg_roles AS l
    WHERE l.rolname = ANY (:'logins'::text[])
) AS x
CROSS JOIN pg_catalog.pg_database AS d
WHERE d.datname <> pg_catalog.current_database()
    AND d.datallowconn
    AND pg_catalog.has_database_privilege(x.member_oid, d.oid, 'CONNECT')
    AND (
        x.role_oid IS NULL
        OR EXISTS (
            SELECT 1
            FROM pg_catalog.pg_shdepend AS s
            WHERE s.dbid = d.oid
                AND s.refclassid = 'pg_catalog.pg_authid'::regclass
                AND s.refobjid = x.role_oid
                AND s.deptype IN ('a', 'o')
        )
    )
GROUP BY d.datname
ORDER BY d.datname;
