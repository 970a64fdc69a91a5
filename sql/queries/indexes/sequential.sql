-- answers: Which tables are read from end to end most, partitions together with their topmost table?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: statistics, and one look at the file system a table
-- What has an ACCESS EXCLUSIVE lock that somebody holds or waits for is not touched: its size is that of the last
-- vacuum or analyze.
WITH RECURSIVE locked AS MATERIALIZED (
    SELECT DISTINCT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
        AND l.mode = 'AccessExclusiveLock'
        AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
        AND l.database IN (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

tops AS (
    SELECT
        c.oid,
        c.oid AS top
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'm')
        AND NOT c.relispartition
    UNION ALL
    SELECT
        h.inhrelid AS oid,
        t.top
    FROM tops AS t
    INNER JOIN pg_catalog.pg_inherits AS h
        ON h.inhparent = t.oid
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = h.inhrelid
        AND c.relispartition
)

SELECT
    t.top::bigint AS oid,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.relname) AS name,
    sum(
        CASE
            WHEN k.oid IS NULL THEN pg_catalog.pg_relation_size(c.oid)
            ELSE c.relpages * pg_catalog.current_setting('block_size')::bigint
        END
    )::bigint AS bytes,
    sum(greatest(c.reltuples, s.n_live_tup, 0))::bigint AS estimated_rows,
    sum(s.seq_scan)::bigint AS scans,
    sum(s.seq_tup_read)::bigint AS rows_read,
    sum(coalesce(s.idx_scan, 0))::bigint AS index_scans,
    NULL::timestamptz AS last_scan
FROM tops AS t
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = t.oid
INNER JOIN pg_catalog.pg_class AS o
    ON o.oid = t.top
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = o.relnamespace
INNER JOIN pg_catalog.pg_stat_user_tables AS s
    ON s.relid = t.oid
LEFT JOIN locked AS k
    ON k.oid = t.oid
WHERE c.relkind <> 'p'
    AND c.relpersistence <> 't'
GROUP BY t.top, n.nspname, o.relname
HAVING sum(s.seq_scan) > 0
ORDER BY rows_read DESC, name ASC;
