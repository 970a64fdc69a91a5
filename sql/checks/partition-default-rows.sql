-- answers: do default partitions hold rows?
-- title: Rows in a default partition
-- area: partitions
-- unit: count
-- warn: > 0
-- where: primary
-- preset: nightly
-- none: no table has a default partition
-- privileges: none
-- since: 15
-- cost: one look at the size of each default partition; rows are not read
WITH defaults AS (
    SELECT
        c.oid,
        pg_catalog.format('%I.%I', cn.nspname, c.relname) AS name,
        pg_catalog.format('%I.%I', pn.nspname, p.relname) AS parent
    FROM pg_catalog.pg_partitioned_table AS t
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = t.partdefid
    INNER JOIN pg_catalog.pg_namespace AS cn
        ON cn.oid = c.relnamespace
    INNER JOIN pg_catalog.pg_class AS p
        ON p.oid = t.partrelid
    INNER JOIN pg_catalog.pg_namespace AS pn
        ON pn.oid = p.relnamespace
    WHERE t.partdefid <> 0
        AND NOT pg_catalog.pg_is_other_temp_schema(cn.oid)
),

locked AS MATERIALIZED (
    -- Waiting ones too: a look at the size would queue behind them.
    SELECT l.relation
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
        AND l.mode = 'AccessExclusiveLock'
        AND l.database = (
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

-- A default partition may be partitioned itself.
tree AS (
    SELECT
        d.name,
        d.parent,
        d.oid AS relid
    FROM defaults AS d
    UNION
    SELECT
        d.name,
        d.parent,
        r.relid
    FROM defaults AS d
    CROSS JOIN LATERAL pg_catalog.pg_partition_tree(d.oid) AS r (relid, parentrelid, isleaf, level)
    WHERE r.isleaf
),

leaves AS (
    SELECT
        d.name,
        d.parent,
        k.oid,
        k.relkind,
        k.reltuples,
        k.oid IN (
            SELECT l.relation
            FROM locked AS l
        ) AS is_locked
    FROM tree AS d
    INNER JOIN pg_catalog.pg_class AS k
        ON k.oid = d.relid
    WHERE k.relkind <> 'p'
),

measured AS (
    SELECT
        l.name,
        l.parent,
        l.relkind,
        l.is_locked,
        l.reltuples,
        CASE WHEN NOT l.is_locked AND l.relkind = 'r' THEN pg_catalog.pg_relation_size(l.oid) END AS bytes,
        pg_catalog.pg_stat_get_live_tuples(l.oid) AS live
    FROM leaves AS l
),

counted AS (
    SELECT
        m.name,
        m.parent,
        CASE
            WHEN bool_or(m.relkind = 'f') THEN 'it is on another server'
            WHEN bool_or(m.is_locked) THEN 'it is locked exclusively, or somebody waits to lock it so'
            WHEN bool_or(m.bytes > 0 AND m.reltuples < 0 AND m.live = 0)
                THEN 'it has pages, and how many rows are on them was never counted'
        END AS unknown,
        -- An empty file holds no row; of any other the later of two counts is taken.
        sum(CASE WHEN m.bytes = 0 THEN 0 ELSE greatest(m.reltuples::bigint, m.live, 0) END) AS held
    FROM measured AS m
    GROUP BY
        m.name,
        m.parent
)

SELECT
    c.name AS object,
    CASE WHEN c.unknown IS NULL THEN c.held END AS measured,
    NULL::timestamptz AS since,
    CASE
        WHEN c.unknown IS NOT NULL THEN pg_catalog.format('default partition of %s: %s', c.parent, c.unknown)
        WHEN c.held = 0 THEN pg_catalog.format('default partition of %s, empty', c.parent)
        ELSE pg_catalog.format(
                'default partition of %s with about %s rows: until they are moved, no partition can be made for them',
                c.parent,
                c.held
            )
    END AS detail,
    CASE
        WHEN c.unknown IS NOT NULL THEN pg_catalog.format('ANALYZE %s', c.name) ELSE
            'wnadmin health explain partition-default-rows'
    END AS fix
FROM counted AS c
ORDER BY
    c.held DESC,
    c.name ASC
LIMIT 50;
