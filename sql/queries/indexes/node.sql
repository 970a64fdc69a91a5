-- answers: Which cluster is this node of, since when does it count, and how many standbys stream from it?
-- privileges: none beyond CONNECT; pg_read_all_stats to tell a standby from another receiver of WAL
-- since: 15
-- cost: a few functions
-- A crash throws all statistics away and leaves stats_reset of the database empty. It sets those of the cluster's own
-- statistics, which otherwise only a reset of each moves forward: the oldest of them is the last crash, or initdb.
SELECT
    pg_catalog.now() AS looked_at,
    r.rolname::text AS login,
    c.system_identifier::text AS system_identifier,
    d.oid::bigint AS database_oid,
    d.datname::text AS database_name,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.pg_postmaster_start_time() AS started,
    greatest(
        b.stats_reset,
        least(
            (SELECT s.stats_reset FROM pg_catalog.pg_stat_archiver AS s),
            (SELECT s.stats_reset FROM pg_catalog.pg_stat_bgwriter AS s),
            (SELECT s.stats_reset FROM pg_catalog.pg_stat_wal AS s)
        )
    ) AS counted_since,
    pg_catalog.current_setting('track_counts')::boolean AS counts,
    pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS sees_all,
    pg_catalog.to_timestamp(((c.system_identifier >> 32) & x'ffffffff'::bigint)::double precision) AS made_at,
    pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next_transaction,
    (
        SELECT count(*)
        FROM pg_catalog.pg_stat_replication AS w
        LEFT JOIN pg_catalog.pg_replication_slots AS s
            ON s.active_pid = w.pid
        WHERE s.slot_type IS DISTINCT FROM 'logical'
            AND coalesce(w.state, '') <> 'backup'
            AND coalesce(w.application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal')
    )::int AS standbys
FROM pg_catalog.pg_control_system() AS c
INNER JOIN pg_catalog.pg_database AS d
    ON d.datname = pg_catalog.current_database()
INNER JOIN pg_catalog.pg_stat_database AS b
    ON b.datid = d.oid
INNER JOIN pg_catalog.pg_roles AS r
    ON r.rolname = current_user;
