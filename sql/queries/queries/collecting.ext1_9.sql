-- answers: does pg_stat_statements collect here, since when, and what may this login see of it?
-- privileges: none beyond USAGE of the extension's schema
-- since: 15
-- extension: pg_stat_statements
-- cost: a catalog look, and the whole statistics file without the texts
SELECT
    pg_catalog.current_setting('pg_stat_statements.track', true) AS track,
    pg_catalog.current_setting('compute_query_id') AS compute_query_id,
    pg_catalog.current_setting('track_io_timing')::boolean AS track_io_timing,
    pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
    current_user::text AS login,
    (SELECT pg_catalog.count(*) FROM :"schema".pg_stat_statements(false))::int AS everywhere,
    i.stats_reset AS since,
    i.dealloc AS dropped,
    pg_catalog.now() AS looked
FROM :"schema".pg_stat_statements_info AS i;
