-- answers: How old are this database's transactions, since when does it count dead rows, and what may this login see?
-- privileges: none
-- since: 15
-- cost: none to speak of
SELECT
    current_user::text AS login,
    pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.age(d.datfrozenxid)::bigint AS xid_age,
    pg_catalog.mxid_age(d.datminmxid)::bigint AS mxid_age,
    greatest(
        b.stats_reset,
        least(
            (SELECT s.stats_reset FROM pg_catalog.pg_stat_archiver AS s),
            (SELECT s.stats_reset FROM pg_catalog.pg_stat_bgwriter AS s),
            (SELECT s.stats_reset FROM pg_catalog.pg_stat_wal AS s)
        )
    ) AS counted_since
FROM pg_catalog.pg_database AS d
INNER JOIN pg_catalog.pg_stat_database AS b
    ON b.datid = d.oid
WHERE d.datname = pg_catalog.current_database();
