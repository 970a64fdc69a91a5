-- answers: May this login migrate this database, and as whom?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
    b.datistemplate AS is_template,
    session_user::text AS login,
    current_user::text AS acting,
    r.rolsuper AS is_superuser,
    o.oid IS NOT NULL AS owner_exists,
    o.oid IS NOT NULL AND pg_catalog.pg_has_role(session_user, o.oid, 'MEMBER') AS may_become_owner,
    h.oid IS NOT NULL AS has_history,
    coalesce(pg_catalog.pg_get_userbyid(h.relowner)::text, '') AS history_owner,
    h.oid IS NOT NULL AND o.oid IS NOT NULL
    AND pg_catalog.has_table_privilege(o.oid, h.oid, 'INSERT')
    AND pg_catalog.has_table_privilege(o.oid, h.oid, 'UPDATE')
    AND pg_catalog.has_table_privilege(o.oid, h.oid, 'SELECT') AS owner_may_record
FROM pg_catalog.pg_database AS b
INNER JOIN pg_catalog.pg_roles AS r
    ON r.rolname = session_user
LEFT JOIN pg_catalog.pg_roles AS o
    ON o.rolname = :'owner'::text
LEFT JOIN pg_catalog.pg_class AS h
    ON h.oid = pg_catalog.to_regclass('public.flyway_schema_history')
WHERE b.datname = pg_catalog.current_database();
