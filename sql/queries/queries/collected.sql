-- answers: how many statements and calls has pg_stat_statements collected for this database, and since when?
-- privileges: pg_read_all_stats to see the statements of other roles; without it only one's own are counted
-- since: 15
-- cost: reads the whole statistics file, about 1 ms for 5,000 statements
SELECT
    pg_catalog.count(*)::int AS statements,
    coalesce(pg_catalog.sum(s.calls), 0)::bigint AS calls,
    (pg_catalog.array_agg(s.queryid::text ORDER BY s.calls DESC, s.queryid ASC))[1] AS busiest,
    coalesce(pg_catalog.max(s.calls), 0)::bigint AS busiest_calls,
    (SELECT i.stats_reset FROM :"schema".pg_stat_statements_info AS i) AS since
FROM :"schema".pg_stat_statements AS s
INNER JOIN pg_catalog.pg_database AS d
    ON d.oid = s.dbid
WHERE d.datname = pg_catalog.current_database();
