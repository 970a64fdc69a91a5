-- answers: Can this login keep and read the register of backups of the connected database?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- "system_identifier" and "database" say whose backups belong into it.
SELECT
    (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)::text AS system_identifier,
    d.datname::text AS database,
    session_user::text AS login,
    pg_catalog.pg_is_in_recovery() AS standby,
    pg_catalog.current_setting('transaction_read_only')::boolean AS read_only,
    b.oid IS NOT NULL AND f.oid IS NOT NULL AND m.oid IS NOT NULL AS installed,
    coalesce(
        pg_catalog.has_function_privilege(f.oid, 'EXECUTE')
        AND pg_catalog.has_function_privilege(m.oid, 'EXECUTE')
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_write,
    coalesce(
        pg_catalog.has_table_privilege(b.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_read
FROM pg_catalog.pg_database AS d
LEFT JOIN pg_catalog.pg_namespace AS n
    ON n.nspname = 'audit'
LEFT JOIN pg_catalog.pg_class AS b
    ON b.relnamespace = n.oid
    AND b.relname = 'backups'
LEFT JOIN pg_catalog.pg_proc AS f
    ON f.pronamespace = n.oid
    AND f.proname = 'register_backup'
LEFT JOIN pg_catalog.pg_proc AS m
    ON m.pronamespace = n.oid
    AND m.proname = 'mark_backup_removed'
WHERE d.datname = pg_catalog.current_database();
