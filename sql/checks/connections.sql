-- answers: how many of the connection slots for clients are taken, in all and by database limit?
-- title: Connection slots
-- area: sessions
-- unit: %
-- warn: > 80
-- critical: > 95
-- needs: member:pg_read_all_stats
-- preset: triage
-- privileges: pg_read_all_stats; without it a login cannot tell clients from other processes
-- since: 15
-- cost: one pass over the sessions
WITH clients AS (
    SELECT a.datid
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_type = 'client backend'
),

slots AS (
    SELECT
        'max_connections' AS object,
        (SELECT count(*) FROM clients) AS taken,
        pg_catalog.current_setting('max_connections')::int
        - pg_catalog.current_setting('superuser_reserved_connections')::int
        -- From PostgreSQL 16 on.
        - coalesce(pg_catalog.current_setting('reserved_connections', TRUE)::int, 0) AS room,
        'slots that are not reserved' AS what
    UNION ALL
    SELECT
        pg_catalog.format('database %I', d.datname),
        count(c.datid),
        d.datconnlimit,
        'CONNECTION LIMIT of the database'
    FROM pg_catalog.pg_database AS d
    LEFT JOIN clients AS c
        ON c.datid = d.oid
    -- -1 is no limit, -2 a database left invalid by an interrupted DROP.
    WHERE d.datconnlimit >= 0
    GROUP BY d.datname, d.datconnlimit
)

SELECT
    s.object,
    CASE WHEN s.room > 0 THEN round(100.0 * s.taken / s.room, 1) ELSE 100 END AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format('%s of %s %s are taken', s.taken, s.room, s.what) AS detail,
    'wnadmin connections list' AS fix
FROM slots AS s
ORDER BY measured DESC;
