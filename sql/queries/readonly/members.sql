-- answers: Which role is a member of which, granted by whom?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- "grantor" is NULL where that role is gone. The options inherit and set are there since PostgreSQL 16.
SELECT
    g.rolname::text AS role,
    m.rolname::text AS member,
    b.rolname::text AS grantor,
    a.admin_option AS admin,
    NULL::boolean AS inherit,
    NULL::boolean AS may_set
FROM pg_catalog.pg_auth_members AS a
INNER JOIN pg_catalog.pg_roles AS g
    ON g.oid = a.roleid
INNER JOIN pg_catalog.pg_roles AS m
    ON m.oid = a.member
LEFT JOIN pg_catalog.pg_roles AS b
    ON b.oid = a.grantor
ORDER BY
    g.rolname,
    m.rolname,
    b.rolname;
