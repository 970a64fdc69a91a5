-- answers: Which indexes of this database are being built or rebuilt right now?
-- privileges: pg_read_all_stats to see the builds of other roles; without it their "oid" is NULL
-- since: 15
-- cost: none to speak of
SELECT
    p.pid,
    nullif(p.index_relid, 0)::bigint AS oid,
    nullif(p.relid, 0)::bigint AS table_oid,
    coalesce(p.phase, '') AS phase
FROM pg_catalog.pg_stat_progress_create_index AS p
WHERE p.datname = pg_catalog.current_database()
ORDER BY p.pid;
