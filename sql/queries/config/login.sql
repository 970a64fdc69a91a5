-- answers: what may this login see of the server's settings and their files?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    current_user::text AS login,
    pg_catalog.current_database()::text AS database,
    pg_catalog.to_regprocedure('family.verifiable_consent_required()') IS NOT NULL AS wondernest,
    pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS sees_all,
    pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS sees_files,
    (
        SELECT coalesce(pg_catalog.array_agg(r.rolname::text ORDER BY r.rolname), '{}')
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = ANY (:'roles'::text[])
    ) AS roles;
