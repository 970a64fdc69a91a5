-- answers: Where is default_transaction_read_only set for this database or its roles, and to what?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- "role" is NULL for everybody; "here" is false for what is set in every database. What is set for a role here beats
-- what is set for it everywhere, that beats the database's own, and that beats what is set for everybody everywhere.
SELECT
    r.rolname::text AS role,
    s.setdatabase <> 0 AS here,
    substr(e.entry, strpos(e.entry, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
LEFT JOIN pg_catalog.pg_database AS d
    ON d.oid = s.setdatabase
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
    AND split_part(e.entry, '=', 1) = 'default_transaction_read_only'
ORDER BY
    r.rolname NULLS FIRST,
    s.setdatabase;
