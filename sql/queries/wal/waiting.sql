-- answers: how many finished WAL files wait for the archiver, which is the first, and since when?
-- privileges: pg_monitor, which may list pg_wal/archive_status
-- since: 15
-- cost: a listing of pg_wal/archive_status
SELECT
    count(*) AS files,
    coalesce(min(regexp_replace(f.name, '\.ready$', '')), '') AS first,
    min(f.modification) AS since
FROM pg_catalog.pg_ls_archive_statusdir() AS f
WHERE f.name LIKE '%.ready';
