-- answers: Can this login write to and read the operator ledger of this database, and whose database is it?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: six catalog look-ups
SELECT
    (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)::text AS system_identifier,
    d.oid::bigint AS database_oid,
    d.datname::text AS database_name,
    session_user::text AS login,
    pg_catalog.pg_is_in_recovery() AS standby,
    l.oid IS NOT NULL AS installed,
    coalesce(
        pg_catalog.has_function_privilege(f.oid, 'EXECUTE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_append,
    coalesce(
        pg_catalog.has_function_privilege(m.oid, 'EXECUTE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_checkpoint,
    coalesce(
        pg_catalog.has_table_privilege(l.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_read,
    coalesce(
        pg_catalog.has_function_privilege(o.oid, 'EXECUTE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_read_own,
    coalesce(
        pg_catalog.has_function_privilege(r.oid, 'EXECUTE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
        false
    ) AS may_remove,
    f.oid IS NOT NULL AS has_append
FROM pg_catalog.pg_database AS d
LEFT JOIN pg_catalog.pg_namespace AS n
    ON n.nspname = 'audit'
LEFT JOIN pg_catalog.pg_class AS l
    ON l.relnamespace = n.oid
    AND l.relname = 'operator_ledger'
LEFT JOIN pg_catalog.pg_proc AS f
    ON f.pronamespace = n.oid
    AND f.proname = 'ledger_append'
    AND f.proargtypes::text = '2950 25 25'
LEFT JOIN pg_catalog.pg_proc AS m
    ON m.pronamespace = n.oid
    AND m.proname = 'ledger_checkpoint'
    AND m.proargtypes::text = '20 25'
LEFT JOIN pg_catalog.pg_proc AS o
    ON o.pronamespace = n.oid
    AND o.proname = 'ledger_own'
    AND o.proargtypes::text = '2951 23'
LEFT JOIN pg_catalog.pg_proc AS r
    ON r.pronamespace = n.oid
    AND r.proname = 'ledger_remove_sealed'
    AND r.proargtypes::text = '20'
WHERE d.datname = pg_catalog.current_database();
