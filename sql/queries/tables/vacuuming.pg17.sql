-- answers: Which vacuums run in this database right now, and how far are they?
-- privileges: pg_read_all_stats to see those of other roles; without it everything but the pid is NULL
-- since: 17
-- cost: none to speak of
SELECT
    p.pid,
    p.relid::bigint AS oid,
    CASE
        WHEN c.oid IS NOT NULL
            THEN pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
    END AS name,
    a.backend_type,
    a.xact_start AS began,
    p.phase,
    p.heap_blks_total AS blocks,
    p.heap_blks_scanned AS scanned,
    p.heap_blks_vacuumed AS vacuumed,
    p.index_vacuum_count AS index_rounds,
    p.indexes_total AS indexes,
    p.indexes_processed AS indexes_done,
    p.num_dead_item_ids AS dead_items,
    (100.0 * p.dead_tuple_bytes / nullif(p.max_dead_tuple_bytes, 0))::double precision AS memory_percent
FROM pg_catalog.pg_stat_progress_vacuum AS p
LEFT JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = p.pid
LEFT JOIN pg_catalog.pg_class AS c
    ON c.oid = p.relid
LEFT JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE p.datname = pg_catalog.current_database()
ORDER BY p.pid;
