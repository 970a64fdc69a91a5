-- answers: what does the server's own user find where the archive command and its folder are to be?
-- privileges: superuser, or pg_read_server_files with EXECUTE on pg_stat_file, pg_ls_dir and pg_read_binary_file
-- since: 15
-- cost: a listing of the folder
SELECT
    (
        SELECT f.isdir
        FROM pg_catalog.pg_stat_file(:'folder'::text, TRUE) AS f
    ) AS folder,
    coalesce(
        pg_catalog.encode(
            pg_catalog.sha256(pg_catalog.pg_read_binary_file(:'script'::text, 0, 1048576, TRUE)), 'hex'
        ),
        ''
    ) AS script,
    coalesce(
        pg_catalog.btrim(pg_catalog.pg_read_file(:'folder'::text || '/WNADMIN_ARCHIVE', 0, 100, TRUE), E' \n'), ''
    ) AS owner,
    -- Byte 24 of a segment is where the identifier of its server begins.
    (
        SELECT
            coalesce(
                pg_catalog.encode(
                    pg_catalog.pg_read_binary_file(:'folder'::text || '/' || max(l.name), 24, 8, TRUE), 'hex'
                ),
                ''
            )
        FROM pg_catalog.pg_ls_dir(:'folder'::text, TRUE, FALSE) AS l (name)
        WHERE l.name ~ '^[0-9A-F]{24}$'
    ) AS newest;
