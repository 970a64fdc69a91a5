-- answers: Can this login, on this server and in this database, set up WonderNest?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    current_setting('transaction_read_only') = 'on' AS read_only,
    b.datistemplate AS is_template,
    pg_catalog.pg_encoding_to_char(b.encoding)::text AS encoding,
    r.rolname::text AS login,
    r.rolsuper AS is_superuser,
    r.rolcreatedb AS can_create_database,
    r.rolcreaterole AS can_create_role,
    r.rolreplication AS has_replication,
    r.rolbypassrls AS has_bypassrls,
    pg_catalog.has_database_privilege(b.oid, 'CREATE') AS may_create_schemas,
    EXISTS (
        SELECT 1 FROM pg_catalog.pg_available_extensions AS e
        WHERE e.name = 'pgcrypto'
    ) AS has_pgcrypto,
    coalesce((
        SELECT n.nspname::text
        FROM pg_catalog.pg_extension AS e
        INNER JOIN pg_catalog.pg_namespace AS n
            ON n.oid = e.extnamespace
        WHERE e.extname = 'pgcrypto'
    ), '') AS pgcrypto_schema,
    coalesce((
        SELECT string_agg(o.rolname::text, ', ' ORDER BY o.rolname)
        FROM pg_catalog.pg_roles AS o
        WHERE o.rolname = ANY (string_to_array(:'owners'::text, ','))
            AND NOT pg_catalog.pg_has_role(o.oid, 'USAGE')
            AND NOT pg_catalog.pg_has_role(o.oid, 'MEMBER WITH ADMIN OPTION')
    ), '') AS roles_beyond_reach,
    coalesce((
        -- They are granted only to roles that are yet to be made.
        SELECT string_agg(o.rolname::text, ', ' ORDER BY o.rolname)
        FROM pg_catalog.pg_roles AS o
        WHERE o.rolname = ANY (string_to_array(:'builtin'::text, ','))
            AND NOT pg_catalog.pg_has_role(o.oid, 'MEMBER WITH ADMIN OPTION')
            AND EXISTS (
                SELECT 1
                FROM unnest(string_to_array(:'roles'::text, ',')) AS w (name)
                WHERE to_regrole(w.name) IS NULL
            )
    ), '') AS grants_beyond_reach
FROM pg_catalog.pg_database AS b
INNER JOIN pg_catalog.pg_roles AS r
    ON r.rolname = current_user
WHERE b.datname = current_database();
