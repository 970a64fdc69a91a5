-- answers: how many of the connections that a role may have are taken?
-- title: Connections by role
-- area: sessions
-- unit: %
-- warn: > 80
-- critical: > 95
-- needs: member:pg_read_all_stats
-- preset: triage
-- none: no role has a CONNECTION LIMIT
-- privileges: pg_read_all_stats; without it a login cannot tell clients from other processes
-- since: 15
-- cost: one pass over the sessions and the roles
WITH taken AS (
    SELECT
        a.usesysid,
        count(*) AS sessions
    FROM pg_catalog.pg_stat_activity AS a
    -- Standbys and backups count too where the server counts; workers of a query do not.
    WHERE a.backend_type IN ('client backend', 'walsender')
    GROUP BY a.usesysid
)

SELECT
    pg_catalog.format('role %I', r.rolname) AS object,
    round(100.0 * coalesce(t.sessions, 0) / r.rolconnlimit, 1) AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        '%s of %s connections that %s may have are taken', coalesce(t.sessions, 0), r.rolconnlimit, r.rolname
    ) AS detail,
    'wnadmin connections list' AS fix
FROM pg_catalog.pg_roles AS r
LEFT JOIN taken AS t
    ON t.usesysid = r.oid
-- -1 is no limit; 0 lets nobody in, and superusers are let in regardless.
WHERE r.rolconnlimit > 0
    AND NOT r.rolsuper
ORDER BY measured DESC, r.rolname ASC
LIMIT 50;
