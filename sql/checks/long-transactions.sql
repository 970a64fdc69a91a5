-- answers: which sessions have had a transaction open for long?
-- title: Long transactions
-- area: sessions
-- unit: s
-- warn: > 30min
-- critical: > 2h
-- needs: member:pg_read_all_stats
-- preset: triage
-- none: no client has a transaction open
-- privileges: pg_read_all_stats
-- since: 15
-- cost: one pass over the sessions
SELECT
    pg_catalog.format('%s %s', a.pid, coalesce(a.usename, '?')) AS object,
    round(extract(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start), 1) AS measured,
    a.xact_start AS since,
    pg_catalog.format(
        '%s of %s in %s%s: %s%s',
        a.pid,
        coalesce(a.usename, '?'),
        coalesce(a.datname, '?'),
        CASE WHEN a.application_name <> '' THEN pg_catalog.format(' (%s)', a.application_name) ELSE '' END,
        coalesce(a.state, 'state not tracked'),
        coalesce(
            ', holds '
            || nullif(
                pg_catalog.concat_ws(
                    ' and ',
                    CASE WHEN a.backend_xid IS NOT NULL THEN 'a transaction id' END,
                    CASE WHEN a.backend_xmin IS NOT NULL THEN 'a snapshot' END
                ),
                ''
            ),
            ''
        )
    ) AS detail,
    pg_catalog.format(
        'In psql: SELECT %s FROM pg_stat_activity WHERE pid = %s AND backend_start = %L AND xact_start = %L',
        CASE WHEN a.state = 'active' THEN 'pg_cancel_backend(pid)' ELSE 'pg_terminate_backend(pid, 5000)' END,
        a.pid,
        a.backend_start,
        a.xact_start
    ) AS fix
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type = 'client backend'
    AND a.xact_start IS NOT NULL
    AND a.pid <> pg_catalog.pg_backend_pid()
    -- A dump takes the time that it takes; what it costs, xmin-horizon shows.
    AND (
        a.application_name NOT IN ('pg_dump', 'pg_dumpall')
        OR a.xact_start < pg_catalog.clock_timestamp() - INTERVAL '6 hours'
    )
ORDER BY measured DESC
LIMIT 50;
