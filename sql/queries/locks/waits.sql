-- answers: Who waits for whom, for what, in which mode? One row an edge, the longest wait first.
-- privileges: none; pg_read_all_stats to see the state and the text of other roles' sessions
-- since: 15
-- cost: one look at pg_locks, pg_stat_activity and pg_prepared_xacts, one pg_blocking_pids() a waiter; no wait
-- "hard": the blocker holds "held". "soft": it only stands before it in the queue and wants "ahead" itself. Whoever
-- waits in a queue waits for all before it that conflict: unless all is true only the next one is a row, and "more"
-- says how many others it waits for. A prepared transaction has no process: its key is minus its transaction id.
WITH activity AS MATERIALIZED (
    SELECT
        a.pid,
        a.datname,
        a.usename,
        a.backend_start,
        a.state,
        a.state_change,
        a.xact_start,
        a.query,
        a.state IS NULL AND a.query = '<insufficient privilege>' AS hidden,
        -- A parallel apply worker has a leader too, but is no part of its lock group.
        CASE WHEN a.backend_type = 'parallel worker' THEN a.leader_pid END AS leader
    FROM pg_catalog.pg_stat_activity AS a
),

locks AS MATERIALIZED (
    SELECT
        l.pid,
        l.granted,
        l.mode,
        l.locktype,
        l.database,
        l.relation,
        l.page,
        l.tuple,
        l.virtualxid,
        l.transactionid,
        l.classid,
        l.objid,
        l.objsubid,
        l.virtualtransaction,
        l.waitstart
    FROM pg_catalog.pg_locks AS l
),

waiting AS MATERIALIZED (
    SELECT
        coalesce(a.leader, l.pid)::bigint AS key,
        l.pid,
        l.mode,
        l.waitstart,
        l.locktype,
        l.database,
        l.relation,
        l.page,
        l.tuple,
        l.virtualxid,
        l.transactionid,
        l.classid,
        l.objid,
        l.objsubid,
        (
            l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
            l.objsubid
        )::text AS tag
    FROM locks AS l
    LEFT JOIN activity AS a
        ON a.pid = l.pid
    WHERE NOT l.granted
),

held AS MATERIALIZED (
    -- Every lock held on what is waited for; the first two conditions only spare the text of all others.
    SELECT
        h.tag,
        h.mode,
        h.virtualtransaction,
        coalesce(a.leader, h.pid)::bigint AS key
    FROM (
        SELECT
            l.pid,
            l.mode,
            l.virtualtransaction,
            (
                l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
                l.objsubid
            )::text AS tag
        FROM locks AS l
        WHERE l.granted
            AND l.locktype IN (SELECT w.locktype FROM waiting AS w)
            AND coalesce(l.relation, 0) IN (SELECT coalesce(w.relation, 0) FROM waiting AS w)
    ) AS h
    LEFT JOIN activity AS a
        ON a.pid = h.pid
    WHERE h.tag IN (SELECT w.tag FROM waiting AS w)
),

conflicts (mode, others) AS (
    VALUES
    ('AccessShareLock', '{AccessExclusiveLock}'::text[]),
    ('RowShareLock', '{ExclusiveLock,AccessExclusiveLock}'),
    ('RowExclusiveLock', '{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
    (
        'ShareUpdateExclusiveLock',
        '{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
    ),
    (
        'ShareLock',
        '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
    ),
    (
        'ShareRowExclusiveLock',
        '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
    ),
    (
        'ExclusiveLock',
        '{RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,'
        'AccessExclusiveLock}'
    ),
    (
        'AccessExclusiveLock',
        '{AccessShareLock,RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,'
        'ExclusiveLock,AccessExclusiveLock}'
    )
),

prepared AS MATERIALIZED (
    SELECT
        -(p.transaction::text::bigint) AS key,
        p.gid,
        p.prepared,
        p.owner,
        p.database,
        l.virtualtransaction
    FROM pg_catalog.pg_prepared_xacts AS p
    LEFT JOIN locks AS l
        ON l.locktype = 'transactionid'
        AND l.transactionid = p.transaction
        AND l.granted
        AND l.pid IS NULL
),

spots AS MATERIALIZED (
    -- Who waits for another's transaction because of a row holds the lock on that row, first in its queue.
    SELECT DISTINCT ON (l.pid)
        l.pid,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation,
        pg_catalog.format('row (%s,%s)', l.page, l.tuple) AS place
    FROM locks AS l
    INNER JOIN pg_catalog.pg_database AS d
        ON d.oid = l.database
        AND d.datname = pg_catalog.current_database()
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = l.relation
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE l.locktype = 'tuple'
        AND l.granted
    ORDER BY l.pid ASC, l.page ASC, l.tuple ASC
),

asked AS MATERIALIZED (
    SELECT
        w.key,
        b.pid
    FROM (SELECT DISTINCT d.key FROM waiting AS d) AS w
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.key::integer)) AS b (pid)
),

holders AS MATERIALIZED (
    SELECT
        w.key AS waiter,
        coalesce(h.key, p.key, 0) AS blocker,
        pg_catalog.string_agg(DISTINCT h.mode, ', ') AS modes
    FROM waiting AS w
    INNER JOIN conflicts AS c
        ON c.mode = w.mode
    INNER JOIN held AS h
        ON h.tag = w.tag
        AND h.mode = ANY (c.others)
    LEFT JOIN prepared AS p
        ON h.key IS NULL
        AND p.virtualtransaction = h.virtualtransaction
    WHERE h.key IS DISTINCT FROM w.key
    GROUP BY w.key, coalesce(h.key, p.key, 0)
),

wants AS MATERIALIZED (
    SELECT
        o.*,
        pg_catalog.row_number() OVER (ORDER BY o.waitstart ASC NULLS LAST, o.key ASC) AS place
    FROM (
        SELECT DISTINCT ON (w.key) w.*
        FROM waiting AS w
        ORDER BY w.key ASC, w.waitstart ASC NULLS LAST, w.pid ASC
    ) AS o
),

edges AS MATERIALIZED (
    -- "hard": it holds what is wanted. Otherwise it stands in the same queue, at "place".
    SELECT
        e.waiter,
        e.blocker,
        h.blocker IS NOT NULL OR b.key IS NULL AS hard,
        coalesce(h.modes, b.mode) AS mode,
        CASE WHEN h.blocker IS NULL THEN b.place END AS place
    FROM (
        SELECT
            a.key AS waiter,
            a.pid::bigint AS blocker
        FROM asked AS a
        WHERE a.pid <> 0
            AND a.pid <> a.key
        UNION
        SELECT
            a.key,
            coalesce(o.blocker, 0)
        FROM asked AS a
        LEFT JOIN holders AS o
            ON o.waiter = a.key
            AND o.blocker <= 0
        WHERE a.pid = 0
        UNION
        -- The startup process of a standby waits for queries, and pg_blocking_pids() does not know it.
        SELECT
            o.waiter,
            o.blocker
        FROM holders AS o
        WHERE pg_catalog.pg_is_in_recovery()
            AND o.waiter NOT IN (SELECT a.key FROM asked AS a)
    ) AS e
    INNER JOIN wants AS w
        ON w.key = e.waiter
    LEFT JOIN wants AS b
        ON b.key = e.blocker
        AND b.tag = w.tag
    LEFT JOIN holders AS h
        ON h.waiter = e.waiter
        AND h.blocker = e.blocker
),

queue AS MATERIALIZED (
    -- Whoever waits just ahead in the same queue: what blocks that one too is blocking through it.
    SELECT
        q.waiter,
        w.key AS blocker
    FROM (
        SELECT
            e.waiter,
            max(e.place) AS place
        FROM edges AS e
        GROUP BY e.waiter
    ) AS q
    INNER JOIN wants AS w
        ON w.place = q.place
),

links AS MATERIALIZED (
    -- The same without what the order of a queue implies: among n waiters there are n * (n - 1) / 2 edges.
    SELECT
        e.waiter,
        e.blocker,
        e.hard,
        e.mode
    FROM edges AS e
    LEFT JOIN queue AS q
        ON q.waiter = e.waiter
    WHERE :'all'::boolean
        OR e.hard
        OR q.blocker = e.blocker
        OR NOT EXISTS (
            SELECT 1
            FROM edges AS o
            WHERE o.waiter = q.blocker
                AND o.blocker = e.blocker
        )
),

tallies AS MATERIALIZED (
    SELECT
        e.waiter,
        count(*) AS edges,
        count(k.waiter) AS shown
    FROM edges AS e
    LEFT JOIN links AS k
        ON k.waiter = e.waiter
        AND k.blocker = e.blocker
    GROUP BY e.waiter
)

SELECT
    l.waiter,
    a.backend_start AS waiter_start,
    a.usename::text AS waiter_role,
    a.datname::text AS waiter_database,
    CASE WHEN a.hidden THEN 'hidden' ELSE a.state END AS waiter_state,
    l.blocker,
    b.backend_start AS blocker_start,
    p.gid AS blocker_gid,
    coalesce(b.usename, p.owner)::text AS blocker_role,
    CASE
        WHEN l.blocker <= 0 THEN 'prepared'
        WHEN b.pid IS NULL THEN 'gone'
        WHEN b.hidden THEN 'hidden'
        ELSE b.state
    END AS blocker_state,
    pg_catalog.clock_timestamp() - coalesce(b.xact_start, p.prepared) AS blocker_xact_age,
    CASE WHEN l.hard THEN 'hard' ELSE 'soft' END AS kind,
    w.locktype,
    CASE
        WHEN w.relation IS NULL THEN y.relation
        WHEN t.relname IS NOT NULL THEN pg_catalog.format('%I.%I', s.nspname, t.relname)
        ELSE pg_catalog.format('relation %s of database %s', w.relation, coalesce(o.datname, w.database::text))
    END AS relation,
    CASE
        WHEN w.locktype = 'tuple' THEN pg_catalog.format('row (%s,%s)', w.page, w.tuple)
        WHEN w.locktype = 'page' THEN pg_catalog.format('page %s', w.page)
        WHEN w.locktype = 'transactionid'
            THEN pg_catalog.concat_ws(', ', y.place, pg_catalog.format('transaction %s', w.transactionid))
        WHEN w.locktype = 'virtualxid' THEN pg_catalog.format('virtual transaction %s', w.virtualxid)
        WHEN w.locktype = 'advisory' AND w.objsubid = 1
            THEN pg_catalog.format('advisory key %s', (w.classid::bigint << 32) | w.objid::bigint)
        WHEN w.locktype = 'advisory' THEN pg_catalog.format('advisory keys %s, %s', w.classid, w.objid)
        WHEN w.locktype = 'object' AND (o.oid IS NULL OR o.datname = pg_catalog.current_database())
            THEN pg_catalog.pg_describe_object(w.classid, w.objid, w.objsubid::integer)
        WHEN w.classid IS NOT NULL
            THEN pg_catalog.format('object %s of catalog %s', w.objid, w.classid)
    END AS object,
    w.mode AS wanted,
    CASE WHEN l.hard THEN l.mode END AS held,
    CASE WHEN NOT l.hard THEN l.mode END AS ahead,
    pg_catalog.clock_timestamp() - w.waitstart AS waited,
    m.edges - m.shown AS more,
    CASE WHEN :'show_queries'::boolean AND NOT a.hidden THEN a.query END AS waiter_query,
    CASE WHEN :'show_queries'::boolean AND NOT b.hidden THEN b.query END AS blocker_query
FROM links AS l
INNER JOIN tallies AS m
    ON m.waiter = l.waiter
INNER JOIN wants AS w
    ON w.key = l.waiter
LEFT JOIN activity AS a
    ON a.pid = l.waiter
LEFT JOIN activity AS b
    ON b.pid = l.blocker
LEFT JOIN prepared AS p
    ON p.key = l.blocker
LEFT JOIN pg_catalog.pg_database AS o
    ON o.oid = w.database
LEFT JOIN pg_catalog.pg_class AS t
    ON t.oid = w.relation
    AND (w.database = 0 OR o.datname = pg_catalog.current_database())
LEFT JOIN pg_catalog.pg_namespace AS s
    ON s.oid = t.relnamespace
LEFT JOIN spots AS y
    ON y.pid = w.pid
    AND w.locktype = 'transactionid'
ORDER BY w.waitstart ASC NULLS LAST, l.waiter ASC, l.hard DESC, l.blocker ASC;
