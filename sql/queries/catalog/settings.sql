-- answers: What is set for this database, and for the roles named in "roles" in it?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    coalesce(r.rolname::text, 'everyone') || ' ' || split_part(s.setting, '=', 1) AS name,
    jsonb_build_object('value', substr(s.setting, strpos(s.setting, '=') + 1)) AS facts
FROM pg_catalog.pg_db_role_setting AS d
INNER JOIN pg_catalog.pg_database AS b
    ON b.oid = d.setdatabase
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = d.setrole
CROSS JOIN LATERAL unnest(d.setconfig) AS s (setting)
WHERE b.datname = current_database()
    AND (d.setrole = 0 OR r.rolname = ANY (string_to_array(:'roles'::text, ',')))
ORDER BY name;
