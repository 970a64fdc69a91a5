-- answers: Which of the roles named in "roles" are members of others, with the options that grants have since 16?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 16
-- cost: catalog look-ups
SELECT
    m.rolname || ' in ' || g.rolname AS name,
    jsonb_build_object(
        'admin', bool_or(a.admin_option),
        'inherit', bool_or(a.inherit_option),
        'set', bool_or(a.set_option)
    ) AS facts
FROM pg_catalog.pg_auth_members AS a
INNER JOIN pg_catalog.pg_roles AS g
    ON g.oid = a.roleid
INNER JOIN pg_catalog.pg_roles AS m
    ON m.oid = a.member
WHERE m.rolname = ANY (string_to_array(:'roles'::text, ','))
GROUP BY
    m.rolname,
    g.rolname
ORDER BY name;
