-- answers: Who, other than superusers, is a member of the role named in "role", and who of them administrates it?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    m.rolname::text AS name,
    bool_or(a.admin_option) AND m.rolcreaterole AS administrates
FROM pg_catalog.pg_auth_members AS a
INNER JOIN pg_catalog.pg_roles AS g
    ON g.oid = a.roleid
INNER JOIN pg_catalog.pg_roles AS m
    ON m.oid = a.member
WHERE g.rolname = :'role'::text
    AND NOT m.rolsuper
GROUP BY
    m.rolname,
    m.rolcreaterole
ORDER BY m.rolname;
