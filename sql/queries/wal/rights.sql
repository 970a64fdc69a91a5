-- answers: may this login prove an archive command as the server's own user, read what it wrote, and switch WAL?
-- privileges: none
-- since: 15
-- cost: none
SELECT
    current_user::text AS login,
    pg_catalog.pg_has_role(current_user, 'pg_execute_server_program', 'USAGE')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)', 'EXECUTE')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_ls_dir(text, boolean, boolean)', 'EXECUTE')
    AND pg_catalog.pg_has_role(current_user, 'pg_read_server_files', 'USAGE')
    AND pg_catalog.pg_has_role(current_user, 'pg_write_server_files', 'USAGE') AS proves,
    pg_catalog.has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE') AS switches;
