-- answers: what holds back the cleaning of dead rows, by how many transactions, and how is it released?
-- title: Cleaning held back
-- area: transactions
-- unit: count
-- warn: > 1000000
-- critical: > 20000000
-- needs: member:pg_read_all_stats
-- preset: triage, nightly
-- none: nothing older than five minutes holds back cleaning
-- privileges: pg_read_all_stats
-- since: 15
-- cost: one pass over sessions, slots and prepared transactions
WITH holders AS (
    SELECT
        CASE a.backend_type WHEN 'walsender' THEN 'standby' ELSE 'session' END AS source,
        CASE a.backend_type
            WHEN 'walsender' THEN pg_catalog.format('standby %I', a.application_name)
            ELSE pg_catalog.format('session %s', a.pid)
        END AS object,
        greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) AS behind,
        a.xact_start AS since,
        CASE a.backend_type
            WHEN 'walsender'
                THEN pg_catalog.format('hot_standby_feedback of the standby %s', a.application_name)
            ELSE pg_catalog.format(
                    '%s %s of %s in database %s%s, %s',
                    a.backend_type,
                    a.pid,
                    coalesce(a.usename, '?'),
                    coalesce(a.datname, '?'),
                    CASE WHEN a.application_name <> '' THEN pg_catalog.format(' (%s)', a.application_name) ELSE '' END,
                    coalesce(a.state, '?')
                )
        END AS words,
        CASE a.backend_type
            WHEN 'walsender'
                THEN 'On that standby: find the long query in pg_stat_activity, or set hot_standby_feedback = off.'
            ELSE pg_catalog.format(
                    'In psql: SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity '
                    'WHERE pid = %s AND backend_start = %L AND xact_start = %L',
                    a.pid,
                    a.backend_start,
                    a.xact_start
                )
        END AS fix
    FROM pg_catalog.pg_stat_activity AS a
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
        AND a.pid <> pg_catalog.pg_backend_pid()
        -- A vacuum is no hindrance to another.
        AND a.backend_type <> 'autovacuum worker'
        AND a.pid NOT IN (
            SELECT v.pid
            FROM pg_catalog.pg_stat_progress_vacuum AS v
        )
        -- A standby has no transaction here; one with a slot leaves its horizon there and is found below.
        AND (a.xact_start IS NULL OR a.xact_start < pg_catalog.clock_timestamp() - INTERVAL '5 minutes')
    UNION ALL
    SELECT
        'prepared',
        pg_catalog.format('prepared %L', p.gid),
        pg_catalog.age(p.transaction),
        p.prepared,
        pg_catalog.format('prepared transaction %L of %s in database %s', p.gid, p.owner, p.database),
        pg_catalog.format(
            'Ask its coordinator; then in psql, in database %s: ROLLBACK PREPARED %L', p.database, p.gid
        )
    FROM pg_catalog.pg_prepared_xacts AS p
    UNION ALL
    SELECT
        'slot',
        pg_catalog.format('slot %I', s.slot_name),
        greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)),
        NULL,
        pg_catalog.format(
            '%s %s slot %s%s',
            CASE WHEN s.active THEN 'active' ELSE 'inactive' END,
            s.slot_type,
            s.slot_name,
            CASE WHEN s.xmin IS NULL THEN ', for system catalogs only' ELSE '' END
        ),
        CASE
            WHEN s.active THEN pg_catalog.format('See why the consumer of slot %s is slow.', s.slot_name)
            ELSE pg_catalog.format(
                    'Start its consumer, or if nobody needs it, in psql: SELECT pg_drop_replication_slot(%L)',
                    s.slot_name
                )
        END
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL
        OR s.catalog_xmin IS NOT NULL
),

ranked AS (
    SELECT
        h.source,
        h.object,
        h.behind,
        h.since,
        h.words,
        h.fix,
        count(*) OVER (PARTITION BY h.source) AS alike,
        row_number() OVER (PARTITION BY h.source ORDER BY h.behind DESC, h.since ASC) AS place
    FROM holders AS h
)

SELECT
    r.object,
    r.behind::numeric AS measured,
    r.since,
    pg_catalog.format(
        '%s holds back what died in the last %s transactions%s',
        r.words,
        r.behind,
        CASE WHEN r.alike > 1 THEN pg_catalog.format('; the oldest of %s of its kind', r.alike) ELSE '' END
    ) AS detail,
    r.fix
FROM ranked AS r
WHERE r.place = 1
ORDER BY r.behind DESC;
