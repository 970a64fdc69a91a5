-- answers: Which other databases of this cluster did `readonly on` make read-only, and what did it keep there?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    d.datname::text AS database,
    substr(e.entry, strpos(e.entry, '=') + 1) AS kept
FROM pg_catalog.pg_db_role_setting AS s
INNER JOIN pg_catalog.pg_database AS d
    ON d.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
WHERE s.setrole = 0
    AND d.datname <> pg_catalog.current_database()
    AND split_part(e.entry, '=', 1) = 'wnadmin.readonly'
ORDER BY d.datname;
