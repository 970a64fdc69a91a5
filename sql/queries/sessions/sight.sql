-- answers: What of other roles' sessions can this login see and do, and what GRANT would show the rest?
-- privileges: none
-- since: 15
-- cost: one look at pg_stat_activity
SELECT
    current_user::text AS login,
    pg_catalog.quote_ident(current_user) AS quoted,
    pg_catalog.current_setting('is_superuser')::boolean AS superuser,
    pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS may_signal,
    pg_catalog.pg_is_in_recovery() AS standby,
    count(*) FILTER (WHERE a.state IS NULL AND a.query = '<insufficient privilege>') AS hidden,
    pg_catalog.format('GRANT pg_read_all_stats TO %I', current_user) AS remedy
FROM pg_catalog.pg_stat_activity AS a;
