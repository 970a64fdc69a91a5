-- answers: Which roles are there, and which of them can log in to this database?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- Whoever has CREATEROLE can hand itself any role before PostgreSQL 16; from then on memberships say what it can.
SELECT
    r.rolname::text AS name,
    r.rolcanlogin AS can_login,
    r.rolsuper AS is_superuser,
    pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') AS may_connect,
    r.rolcreaterole AND pg_catalog.current_setting('server_version_num')::int < 160000 AS grants_any_role
FROM pg_catalog.pg_roles AS r
CROSS JOIN pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
ORDER BY r.rolname;
