-- answers: Who blocks whom? One row a session in the blocking forest, each below the one it waits for.
-- privileges: none; pg_read_all_stats to see the state and the text of other roles' sessions
-- since: 15
-- cost: one look at pg_locks, pg_stat_activity and pg_prepared_xacts, one pg_blocking_pids() a waiter; no wait
-- Each session stands once, under the nearest of its blockers; "hard" names all that hold what it wants, "soft" those
-- that only stand before it in the queue, "roots" every tree it is in. "below" counts all that wait behind it, "direct"
-- those that wait for it. A parallel worker counts as its leader. A prepared transaction has no process: its key is
-- minus its transaction id. A root that itself waits ("cycle") is part of a deadlock that the server has yet to break.
WITH RECURSIVE activity AS MATERIALIZED (
    SELECT
        a.pid,
        a.datid,
        a.datname,
        a.usename,
        a.usesysid,
        a.application_name,
        a.client_addr,
        a.client_port,
        a.backend_start,
        a.backend_type,
        a.state,
        a.state_change,
        a.xact_start,
        a.backend_xid,
        a.backend_xmin,
        a.wait_event_type,
        a.wait_event,
        a.query_id,
        a.query,
        a.first,
        a.second,
        a.state IS NULL AND a.query = '<insufficient privilege>' AS hidden,
        -- A parallel apply worker has a leader too, but is no part of its lock group.
        CASE WHEN a.backend_type = 'parallel worker' THEN a.leader_pid END AS leader
    FROM (
        SELECT
            p.*,
            pg_catalog.upper(pg_catalog.split_part(p.start, ' ', 1)) AS first,
            pg_catalog.upper(pg_catalog.split_part(p.start, ' ', 2)) AS second
        FROM (
            SELECT
                s.*,
                -- Without a comment at the beginning, and with blanks for whatever parts words.
                pg_catalog.ltrim(
                    pg_catalog.translate(
                        pg_catalog.left(
                            CASE
                                WHEN s.query LIKE '/*%*/%'
                                    THEN pg_catalog.substr(s.query, pg_catalog.strpos(s.query, '*/') + 2)
                                ELSE s.query
                            END,
                            200
                        ),
                        E'\n\r\t;(',
                        '     '
                    )
                ) AS start
            FROM pg_catalog.pg_stat_activity AS s
        ) AS p
    ) AS a
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
    -- With parallel workers the same pid may come several times.
    SELECT
        w.key,
        coalesce(pg_catalog.array_agg(DISTINCT b.pid::bigint) FILTER (WHERE b.pid IS NOT NULL), '{}') AS pids
    FROM (SELECT DISTINCT d.key FROM waiting AS d) AS w
    LEFT JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.key::integer)) AS b (pid)
        ON true
    GROUP BY w.key
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
            u.key AS blocker
        FROM asked AS a
        CROSS JOIN LATERAL pg_catalog.unnest(a.pids) AS u (key)
        WHERE u.key <> 0
            AND u.key <> a.key
        UNION ALL
        SELECT
            a.key,
            coalesce(o.blocker, 0)
        FROM asked AS a
        LEFT JOIN holders AS o
            ON o.waiter = a.key
            AND o.blocker <= 0
        WHERE 0 = ANY (a.pids)
        UNION ALL
        -- The startup process of a standby waits for queries, and pg_blocking_pids() does not know it.
        SELECT
            o.waiter,
            o.blocker
        FROM asked AS a
        INNER JOIN holders AS o
            ON o.waiter = a.key
        WHERE a.pids = '{}'
            AND pg_catalog.pg_is_in_recovery()
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
    -- The same reachability with fewer edges: among n waiters in a queue there are n * (n - 1) / 2.
    SELECT
        e.waiter,
        e.blocker,
        e.hard,
        e.mode
    FROM edges AS e
    LEFT JOIN queue AS q
        ON q.waiter = e.waiter
    WHERE e.hard
        OR q.blocker = e.blocker
        OR NOT EXISTS (
            SELECT 1
            FROM edges AS o
            WHERE o.waiter = q.blocker
                AND o.blocker = e.blocker
        )
),

ends AS MATERIALIZED (
    SELECT DISTINCT l.blocker AS key
    FROM links AS l
    WHERE l.blocker NOT IN (SELECT k.waiter FROM links AS k)
),

reach (root, key) AS (
    SELECT
        e.key AS root,
        e.key
    FROM ends AS e
    UNION
    SELECT
        r.root,
        l.waiter
    FROM reach AS r
    INNER JOIN links AS l
        ON l.blocker = r.key
),

reached AS MATERIALIZED (
    SELECT DISTINCT r.key
    FROM reach AS r
),

stuck AS MATERIALIZED (
    -- Waiters below no root stand in a cycle or behind one; each points to one of its blockers.
    SELECT
        l.waiter AS key,
        min(l.blocker) AS next
    FROM links AS l
    LEFT JOIN reached AS r
        ON r.key = l.waiter
    WHERE r.key IS NULL
    GROUP BY l.waiter
),

walk (key, at) AS (
    SELECT
        s.key,
        s.next
    FROM stuck AS s
    UNION
    SELECT
        w.key,
        s.next
    FROM walk AS w
    INNER JOIN stuck AS s
        ON s.key = w.at
),

cycles AS MATERIALIZED (
    SELECT min(w.at) AS key
    FROM walk AS w
    INNER JOIN walk AS c
        ON c.key = w.key
        AND c.at = c.key
    GROUP BY w.key
),

around (root, key) AS (
    SELECT
        c.key AS root,
        c.key
    FROM cycles AS c
    UNION
    SELECT
        a.root,
        l.waiter
    FROM around AS a
    INNER JOIN links AS l
        ON l.blocker = a.key
),

homes AS MATERIALIZED (
    SELECT
        h.root,
        h.key
    FROM reach AS h
    UNION ALL
    SELECT
        h.root,
        h.key
    FROM around AS h
),

roots AS MATERIALIZED (
    SELECT
        h.root AS key,
        count(*) - 1 AS below
    FROM homes AS h
    GROUP BY h.root
),

levels (depth, level, seen) AS (
    SELECT
        0,
        pg_catalog.array_agg(r.key),
        pg_catalog.array_agg(r.key)
    FROM roots AS r
    UNION ALL
    SELECT
        f.depth + 1,
        f.found,
        f.seen || f.found
    FROM (
        SELECT
            l.depth,
            l.seen,
            (
                SELECT pg_catalog.array_agg(DISTINCT k.waiter)
                FROM links AS k
                WHERE k.blocker = ANY (l.level)
                    AND NOT k.waiter = ANY (l.seen)
            ) AS found
        FROM levels AS l
    ) AS f
    WHERE f.found IS NOT NULL
),

depths AS MATERIALIZED (
    SELECT
        at.key,
        l.depth
    FROM levels AS l
    CROSS JOIN LATERAL pg_catalog.unnest(l.level) AS at (key)
),

parents AS MATERIALIZED (
    SELECT DISTINCT ON (l.waiter)
        l.waiter AS key,
        l.blocker AS parent,
        l.hard,
        l.mode
    FROM links AS l
    INNER JOIN depths AS d
        ON d.key = l.waiter
    INNER JOIN depths AS b
        ON b.key = l.blocker
        AND b.depth = d.depth - 1
    LEFT JOIN activity AS a
        ON a.pid = l.blocker
    ORDER BY l.waiter ASC, l.hard DESC, a.xact_start ASC NULLS LAST, l.blocker ASC
),

directs AS MATERIALIZED (
    SELECT
        e.blocker AS key,
        count(*) AS direct
    FROM edges AS e
    GROUP BY e.blocker
),

ranked AS MATERIALIZED (
    -- Among those of one parent: who holds up most, then who waits longest.
    SELECT
        d.key,
        d.depth,
        p.parent,
        p.hard,
        p.mode,
        pg_catalog.row_number() OVER (
            PARTITION BY p.parent
            ORDER BY
                o.below DESC NULLS LAST,
                c.direct DESC NULLS LAST,
                w.waitstart ASC NULLS LAST,
                a.xact_start ASC NULLS LAST,
                d.key ASC
        ) AS place
    FROM depths AS d
    LEFT JOIN parents AS p
        ON p.key = d.key
    LEFT JOIN roots AS o
        ON o.key = d.key
    LEFT JOIN directs AS c
        ON c.key = d.key
    LEFT JOIN wants AS w
        ON w.key = d.key
    LEFT JOIN activity AS a
        ON a.pid = d.key
),

forest (key, root, path, places) AS (
    SELECT
        r.key,
        r.key AS root,
        ARRAY[r.key] AS path,
        ARRAY[r.place] AS places
    FROM ranked AS r
    WHERE r.parent IS NULL
    UNION ALL
    SELECT
        r.key,
        f.root,
        f.path || r.key,
        f.places || r.place
    FROM forest AS f
    INNER JOIN ranked AS r
        ON r.parent = f.key
    WHERE NOT r.key = ANY (f.path)
),

drawn AS MATERIALIZED (
    SELECT
        u.key,
        count(*) - 1 AS below
    FROM forest AS f
    CROSS JOIN LATERAL pg_catalog.unnest(f.path) AS u (key)
    GROUP BY u.key
),

trees AS MATERIALIZED (
    SELECT
        h.key,
        pg_catalog.array_agg(h.root ORDER BY h.root) AS roots
    FROM homes AS h
    GROUP BY h.key
),

holding AS MATERIALIZED (
    SELECT
        l.waiter AS key,
        pg_catalog.array_agg(DISTINCT l.blocker) AS keys
    FROM links AS l
    WHERE l.hard
    GROUP BY l.waiter
)


SELECT
    pg_catalog.repeat('  ', r.depth)
    || CASE WHEN f.key > 0 THEN f.key::text ELSE coalesce('prepared ' || p.gid, 'prepared transaction') END AS session,
    f.key,
    CASE WHEN f.key > 0 THEN f.key::integer END AS pid,
    a.backend_start,
    a.xact_start,
    p.gid,
    f.root,
    m.roots,
    r.depth,
    f.path,
    CASE
        WHEN w.key IS NULL THEN 'root'
        WHEN r.parent IS NULL THEN 'cycle'
        WHEN r.hard THEN 'hard'
        ELSE 'soft'
    END AS kind,
    CASE
        WHEN b.pids = '{}' OR 0 = ANY (b.pids) THEN pg_catalog.array_remove(b.pids, 0) || coalesce(k.keys, '{}')
        ELSE coalesce(b.pids, '{}')
    END AS blockers,
    coalesce(k.keys, '{}') AS hard,
    coalesce(d.direct, 0) AS direct,
    coalesce(o.below, n.below) AS below,
    w.locktype,
    CASE
        WHEN w.relation IS NULL THEN y.relation
        WHEN t.relname IS NOT NULL THEN pg_catalog.format('%I.%I', s.nspname, t.relname)
        ELSE pg_catalog.format('relation %s of database %s', w.relation, coalesce(q.datname, w.database::text))
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
        WHEN w.locktype = 'object' AND (q.oid IS NULL OR q.datname = pg_catalog.current_database())
            THEN pg_catalog.pg_describe_object(w.classid, w.objid, w.objsubid::integer)
        WHEN w.classid IS NOT NULL
            THEN pg_catalog.format('object %s of catalog %s', w.objid, w.classid)
    END AS object,
    w.mode AS wanted,
    CASE WHEN r.hard THEN r.mode END AS held,
    CASE WHEN NOT r.hard THEN r.mode END AS ahead,
    pg_catalog.clock_timestamp() - w.waitstart AS waited,
    a.backend_type,
    coalesce(a.usename, p.owner)::text AS role,
    g.rolsuper AS superuser,
    coalesce(a.datname, p.database)::text AS database,
    a.application_name AS application,
    CASE WHEN a.client_port = -1 THEN 'local' ELSE pg_catalog.host(a.client_addr) END AS client,
    CASE
        WHEN f.key <= 0 THEN 'prepared'
        WHEN a.pid IS NULL THEN 'gone'
        WHEN a.hidden THEN 'hidden'
        ELSE a.state
    END AS state,
    pg_catalog.clock_timestamp() - a.state_change AS state_age,
    pg_catalog.clock_timestamp() - coalesce(a.xact_start, p.prepared) AS xact_age,
    coalesce(a.backend_xid::text, CASE WHEN f.key < 0 THEN (-f.key)::text END) AS xid,
    a.backend_xmin::text AS xmin,
    a.wait_event_type,
    a.wait_event,
    -- Only words that SQL knows; anything else could be somebody's data.
    CASE
        WHEN a.first = ANY ('{CREATE,ALTER,DROP,REINDEX,REFRESH}'::text[]) THEN a.first || ' ' || a.second
        WHEN a.first = ANY ('{SELECT,INSERT,UPDATE,DELETE,MERGE,TRUNCATE,VACUUM,ANALYZE,COPY,LOCK,CLUSTER}'::text[])
            OR a.first = ANY ('{BEGIN,START,COMMIT,END,ROLLBACK,SAVEPOINT,RELEASE,SET,SHOW,EXPLAIN,WITH}'::text[])
            OR a.first = ANY ('{CALL,DO,DECLARE,FETCH,CLOSE,PREPARE,EXECUTE,GRANT,REVOKE,COMMENT,VALUES}'::text[])
            THEN a.first
    END AS command,
    a.query_id,
    a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)' AS wraparound,
    coalesce(a.hidden, false) AS hidden,
    CASE WHEN :'show_queries'::boolean AND NOT a.hidden THEN a.query END AS query
FROM forest AS f
INNER JOIN ranked AS r
    ON r.key = f.key
LEFT JOIN activity AS a
    ON a.pid = f.key
LEFT JOIN prepared AS p
    ON p.key = f.key
LEFT JOIN pg_catalog.pg_roles AS g
    ON g.rolname = coalesce(a.usename, p.owner)
LEFT JOIN asked AS b
    ON b.key = f.key
LEFT JOIN holding AS k
    ON k.key = f.key
LEFT JOIN trees AS m
    ON m.key = f.key
LEFT JOIN roots AS o
    ON o.key = f.key
LEFT JOIN drawn AS n
    ON n.key = f.key
LEFT JOIN directs AS d
    ON d.key = f.key
LEFT JOIN wants AS w
    ON w.key = f.key
    AND f.key NOT IN (SELECT e.key FROM ends AS e)
LEFT JOIN pg_catalog.pg_database AS q
    ON q.oid = w.database
LEFT JOIN pg_catalog.pg_class AS t
    ON t.oid = w.relation
    AND (w.database = 0 OR q.datname = pg_catalog.current_database())
LEFT JOIN pg_catalog.pg_namespace AS s
    ON s.oid = t.relnamespace
LEFT JOIN spots AS y
    ON y.pid = w.pid
    AND w.locktype = 'transactionid'
ORDER BY f.places;
