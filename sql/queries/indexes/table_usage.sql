-- answers: How often was each table read and written on this node?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: one look at the statistics a table
SELECT
    s.relid::bigint AS oid,
    coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) AS reads,
    coalesce(s.n_tup_ins, 0) + coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0) AS writes
FROM pg_catalog.pg_stat_user_tables AS s
ORDER BY s.relid;
