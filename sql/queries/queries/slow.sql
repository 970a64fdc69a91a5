-- answers: which statements take the most time, calls, I/O or temporary files, as pg_stat_statements counted them?
-- privileges: pg_read_all_stats to see query ids and texts of other roles; without it their counters only
-- since: 15
-- extension: pg_stat_statements
-- cost: reads the whole statistics file, about 1 ms for 5,000 statements
WITH counted AS (
    SELECT
        s.queryid,
        s.query,
        s.userid,
        s.dbid,
        NULL::boolean AS toplevel,
        s.calls,
        s.rows,
        s.total_time AS total_ms,
        s.mean_time AS mean_ms,
        s.max_time AS max_ms,
        s.shared_blks_hit AS hit,
        s.shared_blks_read + s.local_blks_read AS read,
        s.shared_blks_written + s.local_blks_written AS written,
        s.temp_blks_read + s.temp_blks_written AS temp,
        s.blk_read_time + s.blk_write_time AS io_ms,
        NULL::bigint AS wal_bytes,
        NULL::timestamptz AS since
    FROM :"schema".pg_stat_statements AS s
    WHERE
        :'everywhere'::boolean
        OR s.dbid = (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

-- What a function runs is counted by itself and again in its caller, so the load is the sum of the callers.
summed AS (
    SELECT
        pg_catalog.sum(c.total_ms) FILTER (WHERE c.toplevel IS NOT FALSE) AS load_ms,
        pg_catalog.count(*)::int AS statements,
        -- The view hides the id, the text, or neither.
        (pg_catalog.count(*) FILTER (WHERE c.queryid IS NULL))::int AS hidden
    FROM counted AS c
),

server AS (
    SELECT
        pg_catalog.current_setting('block_size')::bigint AS block,
        pg_catalog.current_setting('track_io_timing')::boolean AS timed
)

SELECT
    c.queryid::text AS queryid,
    -- The first word says what kind of statement it is; comments stand before it.
    CASE
        WHEN c.queryid IS NOT NULL
            THEN
                pg_catalog.upper(
                    pg_catalog.substring(
                        pg_catalog.regexp_replace(c.query, '/[*]([^*]|[*]+[^*/])*[*]+/|--[^\n]*', ' ', 'g'),
                        '[[:alpha:]]+'
                    )
                )
    END AS kind,
    CASE WHEN c.queryid IS NOT NULL AND :'show'::boolean THEN c.query END AS query,
    coalesce(r.rolname::text, c.userid::text) AS role,
    coalesce(d.datname::text, c.dbid::text) AS database,
    c.toplevel,
    c.calls,
    c.rows,
    c.total_ms,
    c.mean_ms,
    c.max_ms,
    100 * c.total_ms / nullif(u.load_ms, 0) AS share,
    100 * c.hit::float8 / nullif(c.hit + c.read, 0) AS hit,
    c.read * b.block AS read_bytes,
    c.written * b.block AS written_bytes,
    c.temp * b.block AS temp_bytes,
    CASE WHEN b.timed THEN c.io_ms END AS io_ms,
    c.wal_bytes,
    c.since,
    u.load_ms,
    u.statements,
    u.hidden
FROM counted AS c
CROSS JOIN summed AS u
CROSS JOIN server AS b
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = c.userid
LEFT JOIN pg_catalog.pg_database AS d
    ON d.oid = c.dbid
ORDER BY
    CASE :'by'::text
        WHEN 'total' THEN c.total_ms
        WHEN 'mean' THEN c.mean_ms
        WHEN 'calls' THEN c.calls::float8
        WHEN 'io' THEN (c.read + c.written)::float8
        WHEN 'temp' THEN c.temp::float8
    END DESC,
    c.total_ms DESC,
    c.queryid ASC
LIMIT :'top'::int;
