-- answers: how many locks fit into the lock table, and how many does a statement over all partitions take?
-- privileges: none
-- since: 15
-- cost: one pass over the partitions and their indexes in the catalog, no locks on them
WITH RECURSIVE partitions AS (
    SELECT
        c.oid AS root,
        c.oid
    FROM pg_catalog.pg_class AS c
    WHERE
        c.relkind = 'p'
        AND NOT c.relispartition
    UNION ALL
    SELECT
        p.root,
        i.inhrelid
    FROM partitions AS p
    INNER JOIN pg_catalog.pg_inherits AS i
        ON i.inhparent = p.oid
),

largest AS (
    -- A statement that cannot leave partitions out locks each of them, and each of their indexes.
    SELECT
        p.root,
        count(DISTINCT p.oid) + count(x.indexrelid) AS needed
    FROM partitions AS p
    LEFT JOIN pg_catalog.pg_index AS x
        ON x.indrelid = p.oid
    GROUP BY p.root
    ORDER BY
        needed DESC,
        p.root ASC
    LIMIT 1
),

server AS (
    SELECT
        pg_catalog.current_setting('max_connections')::bigint AS sessions,
        pg_catalog.current_setting('max_locks_per_transaction')::bigint
        * (
            pg_catalog.current_setting('max_connections')::bigint
            + pg_catalog.current_setting('max_prepared_transactions')::bigint
        ) AS room
)

SELECT
    s.room,
    s.sessions,
    l.root::regclass::text AS parent,
    coalesce(l.needed, 0)::bigint AS needed
FROM server AS s
LEFT JOIN largest AS l
    ON TRUE;
