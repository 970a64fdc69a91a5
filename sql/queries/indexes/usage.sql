-- answers: How often was each index used on this node, when last, and since when is that counted (19 and newer)?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: one look at the statistics an index
SELECT
    s.indexrelid::bigint AS oid,
    s.idx_scan AS scans,
    NULL::timestamptz AS last_scan,
    NULL::timestamptz AS since
FROM pg_catalog.pg_stat_user_indexes AS s
ORDER BY s.indexrelid;
