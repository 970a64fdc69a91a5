-- answers: How often was each index used on this node, when last, and since when is that counted (19 and newer)?
-- privileges: none beyond CONNECT
-- since: 16
-- cost: one look at the statistics an index
-- Each index has a stats_reset of its own; read by name, so that a server that calls it otherwise gives NULL.
SELECT
    s.indexrelid::bigint AS oid,
    s.idx_scan AS scans,
    s.last_idx_scan AS last_scan,
    (pg_catalog.to_jsonb(s) ->> 'stats_reset')::timestamptz AS since
FROM pg_catalog.pg_stat_user_indexes AS s
ORDER BY s.indexrelid;
