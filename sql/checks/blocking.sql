-- answers: who makes others wait for a lock, for how long, and how many?
-- title: Blocked sessions
-- area: locks
-- unit: s
-- warn: > 30s
-- critical: > 5min
-- preset: triage
-- none: nobody waits for a lock
-- privileges: none; locks and who waits for whom are shown to everyone
-- since: 15
-- cost: one pass over the lock table, and a look into the lock manager for each session that waits
WITH RECURSIVE locks AS MATERIALIZED (
    SELECT
        l.pid,
        l.granted,
        l.waitstart,
        l.mode,
        l.locktype,
        l.database,
        l.relation,
        l.transactionid,
        l.virtualtransaction,
        -- What is locked, whatever it is.
        row(
            l.locktype,
            l.database,
            l.relation,
            l.page,
            l.tuple,
            l.virtualxid,
            l.transactionid::text,
            l.classid,
            l.objid,
            l.objsubid
        )::text AS target
    FROM pg_catalog.pg_locks AS l
    -- Written so, the planner expects few of them, and makes neither large tables nor machine code for them.
    WHERE l.granted::int = 0
        -- Locks without a process are those of prepared transactions.
        OR l.pid IS NULL
),

waiting AS (
    SELECT
        l.pid,
        l.waitstart,
        l.mode,
        l.locktype,
        l.database,
        l.relation,
        l.target
    FROM locks AS l
    WHERE l.granted::int = 0
),

conflicts (mode, held) AS (
    VALUES
    ('AccessShareLock', ARRAY['AccessExclusiveLock']),
    ('RowShareLock', ARRAY['ExclusiveLock', 'AccessExclusiveLock']),
    (
        'RowExclusiveLock',
        ARRAY['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']
    ),
    (
        'ShareUpdateExclusiveLock',
        ARRAY[
            'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
        ]
    ),
    (
        'ShareLock',
        ARRAY[
            'RowExclusiveLock',
            'ShareUpdateExclusiveLock',
            'ShareRowExclusiveLock',
            'ExclusiveLock',
            'AccessExclusiveLock'
        ]
    ),
    (
        'ShareRowExclusiveLock',
        ARRAY[
            'RowExclusiveLock',
            'ShareUpdateExclusiveLock',
            'ShareLock',
            'ShareRowExclusiveLock',
            'ExclusiveLock',
            'AccessExclusiveLock'
        ]
    ),
    (
        'ExclusiveLock',
        ARRAY[
            'RowShareLock',
            'RowExclusiveLock',
            'ShareUpdateExclusiveLock',
            'ShareLock',
            'ShareRowExclusiveLock',
            'ExclusiveLock',
            'AccessExclusiveLock'
        ]
    ),
    (
        'AccessExclusiveLock',
        ARRAY[
            'AccessShareLock',
            'RowShareLock',
            'RowExclusiveLock',
            'ShareUpdateExclusiveLock',
            'ShareLock',
            'ShareRowExclusiveLock',
            'ExclusiveLock',
            'AccessExclusiveLock'
        ]
    )
),

blockers AS MATERIALIZED (
    SELECT
        w.pid AS waiter,
        pg_catalog.pg_blocking_pids(w.pid) AS pids
    FROM waiting AS w
),

-- Process 0 is a prepared transaction: by the lock to its virtual transaction, to its id, to its name.
prepared AS (
    SELECT DISTINCT
        b.waiter,
        p.gid
    FROM blockers AS b
    INNER JOIN waiting AS w
        ON w.pid = b.waiter
    INNER JOIN conflicts AS c
        ON c.mode = w.mode
    INNER JOIN locks AS h
        ON h.pid IS NULL
        AND h.target = w.target
        AND h.mode = ANY (c.held)
    INNER JOIN locks AS x
        ON x.pid IS NULL
        AND x.locktype = 'transactionid'
        AND x.virtualtransaction = h.virtualtransaction
    INNER JOIN pg_catalog.pg_prepared_xacts AS p
        ON p.transaction = x.transactionid
    WHERE 0 = ANY (b.pids)
),

-- Who waits for nobody: the first rows of each tree.
roots AS (
    SELECT
        u.blocker,
        coalesce(p.gid, '') AS gid,
        b.waiter
    FROM blockers AS b
    CROSS JOIN LATERAL pg_catalog.unnest(b.pids) AS u (blocker)
    LEFT JOIN prepared AS p
        ON p.waiter = b.waiter
        AND u.blocker = 0
    WHERE u.blocker NOT IN (
            SELECT w.pid
            FROM waiting AS w
        )
),

-- All that wait for a root, near or far; UNION visits each once, however many ways lead to it.
reached (blocker, gid, waiter) AS (
    SELECT
        r.blocker,
        r.gid,
        r.waiter
    FROM roots AS r
    UNION
    SELECT
        r.blocker,
        r.gid,
        b.waiter
    FROM reached AS r
    INNER JOIN blockers AS b
        ON r.waiter = ANY (b.pids)
),

trees AS (
    SELECT
        r.blocker,
        r.gid,
        count(DISTINCT r.waiter) AS followers,
        min(w.waitstart) AS since,
        (array_agg(w.pid ORDER BY w.waitstart NULLS LAST))[1] AS first
    FROM reached AS r
    INNER JOIN waiting AS w
        ON w.pid = r.waiter
    GROUP BY r.blocker, r.gid
    UNION ALL
    -- A circle has no root; the server breaks it after deadlock_timeout.
    SELECT
        w.pid AS blocker,
        '' AS gid,
        0 AS followers,
        w.waitstart AS since,
        w.pid AS first
    FROM waiting AS w
    WHERE w.pid NOT IN (
            SELECT r.waiter
            FROM reached AS r
        )
)

SELECT
    CASE
        WHEN t.blocker <> 0 THEN pg_catalog.format('%s %s', t.blocker, coalesce(a.usename, '?'))
        WHEN t.gid <> '' THEN pg_catalog.format('prepared %L', t.gid)
        ELSE 'a prepared transaction'
    END AS object,
    round(
        extract(EPOCH FROM pg_catalog.clock_timestamp() - coalesce(t.since, pg_catalog.clock_timestamp())), 1
    ) AS measured,
    t.since,
    pg_catalog.format(
        '%s: %s; %s waits for %s on %s',
        CASE
            WHEN t.blocker = 0 THEN pg_catalog.format('prepared transaction %L', t.gid)
            ELSE pg_catalog.format(
                    '%s%s%s',
                    t.blocker,
                    ' of ' || a.usename,
                    ', ' || coalesce(a.state, nullif(a.backend_type, 'client backend'))
                )
        END,
        CASE
            WHEN t.followers = 0 THEN 'waits in a circle'
            WHEN t.followers = 1 THEN 'blocks 1 session'
            ELSE pg_catalog.format('blocks %s sessions', t.followers)
        END,
        t.first,
        w.mode,
        CASE
            WHEN c.relname IS NOT NULL THEN pg_catalog.format('%s%I.%I', w.kind, c.nspname, c.relname)
            WHEN w.relation IS NOT NULL THEN pg_catalog.format('relation %s of database %s', w.relation, d.datname)
            ELSE w.locktype
        END
    ) AS detail,
    CASE
        WHEN t.gid <> ''
            THEN pg_catalog.format(
                    'Ask its coordinator; then in psql, in database %s: ROLLBACK PREPARED %L', p.database, t.gid
                )
        ELSE 'wnadmin locks tree'
    END AS fix
FROM trees AS t
INNER JOIN
    LATERAL (
        SELECT
            x.mode,
            x.locktype,
            x.database,
            x.relation,
            CASE WHEN x.locktype = 'relation' THEN '' ELSE x.locktype || ' of ' END AS kind
        FROM waiting AS x
        WHERE x.pid = t.first
        ORDER BY x.relation NULLS LAST
        LIMIT 1
    ) AS w
    ON TRUE
LEFT JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = t.blocker
LEFT JOIN pg_catalog.pg_prepared_xacts AS p
    ON p.gid = t.gid
LEFT JOIN pg_catalog.pg_database AS d
    ON d.oid = w.database
-- One look each, however many relations there are.
LEFT JOIN
    LATERAL (
        SELECT
            x.relname,
            n.nspname
        FROM pg_catalog.pg_class AS x
        INNER JOIN pg_catalog.pg_namespace AS n
            ON n.oid = x.relnamespace
        WHERE x.oid = w.relation
            AND (d.datname = pg_catalog.current_database() OR w.database = 0)
        ORDER BY x.oid
        LIMIT 1
    ) AS c
    ON TRUE
ORDER BY measured DESC
LIMIT 50;
