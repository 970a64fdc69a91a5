-- answers: does the lock table have room for queries on the widest partitioned tables, by as many as work now?
-- title: Lock table
-- area: locks
-- unit: %
-- warn: > 60
-- critical: > 100
-- preset: nightly
-- privileges: none
-- since: 15
-- cost: one pass over partitions and their indexes, and over the lock table
WITH RECURSIVE room AS (
    SELECT
        pg_catalog.current_setting('max_locks_per_transaction')::numeric AS each,
        pg_catalog.current_setting('max_connections')::numeric
        + pg_catalog.current_setting('max_prepared_transactions')::numeric AS sessions
),

held AS MATERIALIZED (
    SELECT
        -- Each transaction that runs has a lock on its own number.
        count(DISTINCT l.pid) FILTER (
            WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
        ) AS working,
        -- Locks that are kept with the session itself need no room in the table.
        count(*) FILTER (WHERE NOT l.fastpath) AS used
    FROM pg_catalog.pg_locks AS l
),

indexes AS (
    SELECT
        i.indrelid,
        count(*) AS number
    FROM pg_catalog.pg_index AS i
    GROUP BY i.indrelid
),

members (root, member) AS (
    SELECT
        c.oid AS root,
        c.oid AS member
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind = 'p'
        AND NOT c.relispartition
    UNION ALL
    SELECT
        m.root,
        h.inhrelid
    FROM members AS m
    INNER JOIN pg_catalog.pg_inherits AS h
        ON h.inhparent = m.member
),

widest AS (
    SELECT
        m.root,
        count(*) - 1 AS partitions,
        count(*) + sum(coalesce(i.number, 0)) AS locks
    FROM members AS m
    LEFT JOIN indexes AS i
        ON i.indrelid = m.member
    GROUP BY m.root
    ORDER BY locks DESC
    LIMIT 3
),

demands AS (
    SELECT
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        w.locks * greatest(h.working, 1) AS wanted,
        pg_catalog.format(
            'a query on all %s partitions of %I.%I takes %s locks with their indexes; times %s, as many transactions '
            'as are open now',
            w.partitions,
            n.nspname,
            c.relname,
            w.locks,
            greatest(h.working, 1)
        ) AS words
    FROM widest AS w
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = w.root
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    CROSS JOIN held AS h
    UNION ALL
    SELECT
        'in use now',
        h.used,
        pg_catalog.format('%s locks are in the table now', h.used)
    FROM held AS h
    UNION ALL
    SELECT
        'a dump of this database',
        count(*),
        pg_catalog.format('a dump locks all %s tables of this database at once', count(*))
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'p')
        AND c.relpersistence <> 't'
        AND c.oid >= 16384
)

SELECT
    d.object,
    round(100 * d.wanted / (r.each * r.sessions), 1) AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format('%s; there is room for %s', d.words, r.each * r.sessions) AS detail,
    pg_catalog.format(
        'In psql: ALTER SYSTEM SET max_locks_per_transaction = %s, then restart; or have queries name the months '
        'that they want',
        greatest(64 * ceil(2 * d.wanted / r.sessions / 64), r.each)
    ) AS fix
FROM demands AS d
CROSS JOIN room AS r
ORDER BY measured DESC;
