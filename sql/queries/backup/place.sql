-- answers: Is there a database of the name "dbname" on this server, and may this login make one?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    EXISTS (
        SELECT 1 FROM pg_catalog.pg_database AS d
        WHERE d.datname = :'dbname'::text
    ) AS present,
    r.rolsuper AS superuser,
    pg_catalog.pg_is_in_recovery() AS standby
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user;
