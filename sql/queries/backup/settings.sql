-- answers: Which settings does the connected database carry, for all of its sessions or for one role's?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- "role" is NULL for settings of the database as such.
SELECT
    r.rolname::text AS role,
    split_part(e.entry, '=', 1) AS name,
    substr(e.entry, strpos(e.entry, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting AS s
INNER JOIN pg_catalog.pg_database AS d
    ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
WHERE d.datname = pg_catalog.current_database()
ORDER BY
    r.rolname NULLS FIRST,
    split_part(e.entry, '=', 1);
