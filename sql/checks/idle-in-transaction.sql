-- answers: which sessions hold a transaction open without working in it, and what do they hold?
-- title: Idle in transaction
-- area: sessions
-- unit: s
-- warn: > 5min
-- critical: > 30min
-- needs: member:pg_read_all_stats
-- preset: triage
-- none: no session is idle in a transaction
-- privileges: pg_read_all_stats
-- since: 15
-- cost: one pass over the sessions and the lock table
WITH held AS (
    SELECT
        l.pid,
        count(*) FILTER (WHERE l.locktype = 'relation') AS relations,
        bool_or(l.mode = 'AccessExclusiveLock') AS exclusive
    FROM pg_catalog.pg_locks AS l
    WHERE l.granted
    GROUP BY l.pid
)

SELECT
    pg_catalog.format('%s %s', a.pid, coalesce(a.usename, '?')) AS object,
    round(extract(EPOCH FROM pg_catalog.clock_timestamp() - a.state_change), 1) AS measured,
    a.state_change AS since,
    pg_catalog.format(
        '%s of %s in %s%s: transaction open since %s; holds %s',
        a.pid,
        coalesce(a.usename, '?'),
        coalesce(a.datname, '?'),
        CASE WHEN a.application_name <> '' THEN pg_catalog.format(' (%s)', a.application_name) ELSE '' END,
        pg_catalog.to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
        coalesce(
            nullif(
                pg_catalog.concat_ws(
                    ', ',
                    CASE WHEN h.relations > 0 THEN pg_catalog.format('locks on %s relations', h.relations) END,
                    CASE WHEN h.exclusive THEN 'an exclusive lock' END,
                    CASE WHEN a.backend_xid IS NOT NULL THEN 'a transaction id' END,
                    CASE WHEN a.backend_xmin IS NOT NULL THEN 'a snapshot' END
                ),
                ''
            ),
            'nothing but its slot'
        )
    ) AS detail,
    pg_catalog.format(
        'In psql: SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = %s AND backend_start = %L',
        a.pid,
        a.backend_start
    ) AS fix
FROM pg_catalog.pg_stat_activity AS a
LEFT JOIN held AS h
    ON h.pid = a.pid
WHERE a.backend_type = 'client backend'
    AND a.state IN ('idle in transaction', 'idle in transaction (aborted)')
    AND a.pid <> pg_catalog.pg_backend_pid()
ORDER BY measured DESC;
