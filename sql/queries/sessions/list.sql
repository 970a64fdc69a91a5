-- answers: Who is connected, doing what, for how long, holding what and holding up whom?
-- privileges: none; pg_read_all_stats to see the state and the text of other roles' sessions
-- since: 15
-- cost: one look at pg_stat_activity and pg_locks, one pg_blocking_pids() a waiter; waits for no lock
-- Empty state, role, database: any. "idle in transaction" also finds the aborted ones. older_than compares the age of
-- the transaction, outside of one the time in this state. What is hidden is never filtered away by state or age.
-- "session" is what names a session for good: a pid is used again.
WITH activity AS MATERIALIZED (
    SELECT
        a.pid,
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
        a.state IS NULL AND a.query = '<insufficient privilege>' AS hidden,
        CASE WHEN a.backend_type = 'parallel worker' THEN a.leader_pid END AS leader
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.pid <> pg_catalog.pg_backend_pid()
),

locks AS MATERIALIZED (
    SELECT
        l.pid,
        count(*) FILTER (WHERE l.granted) AS held,
        bool_or(NOT l.granted) AS waits
    FROM pg_catalog.pg_locks AS l
    WHERE l.pid IS NOT NULL
    GROUP BY l.pid
),

waiting AS MATERIALIZED (
    SELECT DISTINCT coalesce(a.leader, l.pid) AS pid
    FROM locks AS l
    LEFT JOIN activity AS a
        ON a.pid = l.pid
    WHERE l.waits
),

edges AS MATERIALIZED (
    SELECT DISTINCT
        w.pid AS waiter,
        b.pid AS blocker
    FROM waiting AS w
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
    WHERE b.pid <> w.pid
),

blocks AS MATERIALIZED (
    SELECT
        e.blocker AS pid,
        count(*) AS waiters
    FROM edges AS e
    GROUP BY e.blocker
),

sessions AS (
    SELECT
        a.pid,
        a.backend_start,
        a.backend_type,
        a.usename,
        r.rolsuper,
        a.datname,
        a.application_name,
        a.client_addr,
        a.client_port,
        CASE WHEN a.hidden THEN 'hidden' ELSE a.state END AS state,
        pg_catalog.clock_timestamp() - a.state_change AS state_age,
        pg_catalog.clock_timestamp() - a.xact_start AS xact_age,
        a.backend_xid,
        a.backend_xmin,
        a.wait_event_type,
        a.wait_event,
        a.query_id,
        a.query,
        a.hidden,
        a.leader,
        -- Of a hidden one it is known whether it has a login and a database, as clients have.
        coalesce(a.backend_type = 'client backend', a.usename IS NOT NULL AND a.datname IS NOT NULL) AS client
    FROM activity AS a
    LEFT JOIN pg_catalog.pg_roles AS r
        ON r.oid = a.usesysid
)

SELECT
    s.pid,
    s.pid || '@' || pg_catalog.to_char(s.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS session,
    s.backend_start,
    s.backend_type,
    s.usename::text AS role,
    s.rolsuper AS superuser,
    s.datname::text AS database,
    s.application_name AS application,
    CASE WHEN s.client_port = -1 THEN 'local' ELSE pg_catalog.host(s.client_addr) END AS client,
    s.state,
    s.state_age,
    s.xact_age,
    s.backend_xid::text AS xid,
    s.backend_xmin::text AS xmin,
    coalesce(l.held, 0) AS locks,
    coalesce(l.waits, false) AS waits,
    coalesce(b.waiters, 0) AS blocks,
    s.wait_event_type,
    s.wait_event,
    s.leader,
    s.query_id,
    s.hidden,
    CASE WHEN :'show_queries'::boolean AND NOT s.hidden THEN s.query END AS query
FROM sessions AS s
LEFT JOIN locks AS l
    ON l.pid = s.pid
LEFT JOIN blocks AS b
    ON b.pid = s.pid
WHERE (:'all'::boolean OR s.client)
    AND (nullif(:'role', '')::text IS NULL OR s.usename = nullif(:'role', '')::text)
    AND (nullif(:'database', '')::text IS NULL OR s.datname = nullif(:'database', '')::text)
    AND (
        nullif(:'state', '')::text IS NULL
        OR s.hidden
        OR s.state = nullif(:'state', '')::text
        OR (nullif(:'state', '')::text = 'idle in transaction' AND s.state = 'idle in transaction (aborted)')
    )
    AND (
        nullif(:'older_than', '')::interval IS NULL
        OR s.hidden
        OR coalesce(s.xact_age, s.state_age) >= nullif(:'older_than', '')::interval
    )
ORDER BY
    -- Who blocks and waits for nobody comes first: the one in the middle of a queue is a victim too.
    coalesce(b.waiters, 0) > 0 AND NOT coalesce(l.waits, FALSE) DESC,
    coalesce(b.waiters, 0) DESC,
    s.xact_age DESC NULLS LAST,
    s.state_age DESC NULLS LAST,
    s.pid ASC;
