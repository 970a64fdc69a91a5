-- answers: Which limits on connections are there, for the server, each role and each database, and how full are they?
-- privileges: none; pg_read_all_stats to tell other roles' client sessions from background processes
-- since: 15
-- cost: one look at pg_stat_activity and three small catalogs
-- The server's limit is what an ordinary login can get: max_connections without the reserved ones. Superusers are held
-- to no limit of a role or database, but count towards that of the database. "unsure" is how many of the used ones are
-- hidden from this login and may be no client. A walsender takes no slot of these; up to 17 it counts for its role.
WITH activity AS MATERIALIZED (
    SELECT
        a.usesysid,
        a.datid,
        a.backend_type = 'walsender' AS walsender,
        a.backend_type IS NULL AS unsure
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_type = 'client backend'
        OR (
            a.backend_type = 'walsender'
            AND pg_catalog.current_setting('server_version_num')::integer < 180000
        )
        OR (a.backend_type IS NULL AND a.usesysid IS NOT NULL AND a.datid IS NOT NULL)
),

totals AS (
    SELECT
        count(*) FILTER (WHERE a.walsender IS NOT TRUE) AS used,
        count(*) FILTER (WHERE a.unsure) AS unsure
    FROM activity AS a
),

settings AS (
    SELECT
        pg_catalog.current_setting('max_connections')::bigint AS most,
        pg_catalog.current_setting('superuser_reserved_connections')::bigint AS for_superusers,
        -- Since 16.
        coalesce(nullif(pg_catalog.current_setting('reserved_connections', true), ''), '0')::bigint AS reserved
),

limits AS (
    SELECT
        1 AS ord,
        'server' AS scope,
        'ordinary logins' AS name,
        s.most - s.for_superusers - s.reserved AS most,
        t.used,
        t.unsure,
        false AS exempt
    FROM settings AS s
    CROSS JOIN totals AS t
    UNION ALL
    SELECT
        2,
        'server',
        'max_connections',
        s.most,
        t.used,
        t.unsure,
        false
    FROM settings AS s
    CROSS JOIN totals AS t
    UNION ALL
    SELECT
        3,
        'role',
        r.rolname::text,
        nullif(r.rolconnlimit, -1),
        count(a.usesysid),
        count(a.usesysid) FILTER (WHERE a.unsure),
        r.rolsuper
    FROM pg_catalog.pg_roles AS r
    LEFT JOIN activity AS a
        ON a.usesysid = r.oid
    WHERE r.rolcanlogin
    GROUP BY r.oid, r.rolname, r.rolconnlimit, r.rolsuper
    UNION ALL
    SELECT
        4,
        'database',
        d.datname::text,
        -- Below -1 the database is a broken one that lets nobody in.
        CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit WHEN d.datconnlimit < -1 THEN 0 END,
        count(a.datid),
        count(a.datid) FILTER (WHERE a.unsure),
        false
    FROM pg_catalog.pg_database AS d
    LEFT JOIN activity AS a
        ON a.datid = d.oid
    WHERE d.datallowconn
    GROUP BY d.oid, d.datname, d.datconnlimit
)

SELECT
    l.scope,
    l.name,
    l.used,
    l.most,
    CASE
        WHEN l.exempt THEN NULL
        WHEN l.most = 0 THEN 100.0
        ELSE pg_catalog.round(100.0 * l.used / l.most, 1)
    END::float8 AS share,
    l.unsure,
    l.exempt
FROM limits AS l
WHERE l.ord < 3
    OR l.used > 0
    OR l.most IS NOT NULL
ORDER BY l.ord ASC, share DESC NULLS LAST, l.used DESC, l.name ASC;
