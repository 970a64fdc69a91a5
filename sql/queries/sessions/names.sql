-- answers: Which roles and databases are there to ask for?
-- privileges: none
-- since: 15
-- cost: two catalog scans
SELECT
    'role' AS kind,
    r.rolname::text AS name
FROM pg_catalog.pg_roles AS r
UNION ALL
SELECT
    'database',
    d.datname::text
FROM pg_catalog.pg_database AS d
ORDER BY 1, 2;
