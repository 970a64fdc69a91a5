-- answers: Which role is a member of which, granted by whom?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 16
-- cost: catalog look-ups
-- "grantor" is NULL where that role is gone.
SELECT
    g.rolname::text AS role,
    m.rolname::text AS member,
    b.rolname::text AS grantor,
    a.admin_option AS admin,
    a.inherit_option AS inherit,
    a.set_option AS may_set
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
