-- answers: what does admin.get_db_health_metrics() say of itself?
-- title: The database's own health metrics
-- area: server
-- unit: level
-- warn: > 0
-- critical: > 1
-- needs: execute:admin.get_db_health_metrics()
-- preset: nightly
-- privileges: EXECUTE on admin.get_db_health_metrics(); pg_read_all_stats for what it says of sessions
-- since: 15
-- cost: one pass over sessions, locks and table counters, and the size of the database's files
SELECT
    m.metric_name AS object,
    CASE m.status
        WHEN 'ok' THEN 0
        WHEN 'warn' THEN 1
        WHEN 'critical' THEN 2
    END::numeric AS measured,
    NULL::timestamptz AS since,
    CASE
        WHEN m.metric_value IS NULL THEN m.detail
        ELSE pg_catalog.format(
                '%s %s, %s', pg_catalog.trim_scale(pg_catalog.round(m.metric_value, 2)), m.unit, m.detail
            )
    END AS detail,
    CASE
        WHEN m.status = 'unknown' THEN pg_catalog.format('GRANT pg_read_all_stats TO %I', current_user)
        WHEN m.metric_name IN ('connections', 'connections_used') THEN 'wnadmin connections list'
        WHEN m.metric_name IN ('sessions_idle_in_transaction', 'longest_transaction', 'longest_query')
            THEN 'wnadmin sessions list'
        WHEN m.metric_name = 'sessions_blocked' THEN 'wnadmin locks tree'
        WHEN m.metric_name IN ('dead_rows', 'transaction_id_age') THEN 'wnadmin tables vacuum-debt'
        WHEN m.metric_name = 'invalid_indexes' THEN 'wnadmin health run --only invalid-indexes'
        WHEN m.metric_name = 'cache_hits' THEN 'wnadmin queries slow'
        WHEN m.metric_name = 'partition_runway' THEN 'wnadmin health run --only partition-runway'
        ELSE 'wnadmin health explain database-metrics'
    END AS fix
FROM admin.get_db_health_metrics() WITH ORDINALITY AS m (metric_name, metric_value, unit, status, detail, place)
ORDER BY
    measured DESC NULLS FIRST,
    m.place ASC
LIMIT 50;
