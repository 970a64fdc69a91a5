-- answers: which indexes are invalid, and is something being done about it?
-- title: Invalid indexes
-- area: schema
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- none: no index is invalid
-- privileges: none
-- since: 15
-- cost: one pass over the indexes
WITH building AS (
    -- Which table a CREATE INDEX or REINDEX works on is hidden from others; which tables it has locked is not.
    SELECT l.relation
    FROM pg_catalog.pg_stat_progress_create_index AS p
    INNER JOIN pg_catalog.pg_locks AS l
        ON l.pid = p.pid
    WHERE l.locktype = 'relation'
        AND p.datname = pg_catalog.current_database()
),

broken AS (
    SELECT
        pg_catalog.format('%I.%I', n.nspname, i.relname) AS name,
        pg_catalog.format('%I.%I', tn.nspname, t.relname) AS table_name,
        x.indisunique,
        CASE
            WHEN i.relname ~ '_ccnew[0-9]*$' THEN 'new'
            WHEN i.relname ~ '_ccold[0-9]*$' THEN 'old'
            ELSE ''
        END AS leftover,
        -- Such an index cannot be dropped by itself.
        i.relispartition OR EXISTS (
            SELECT 1
            FROM pg_catalog.pg_constraint AS k
            WHERE k.conindid = x.indexrelid
                AND k.conrelid = x.indrelid
                AND k.contype IN ('p', 'u', 'x')
        ) AS bound,
        i.relpages
    FROM pg_catalog.pg_index AS x
    INNER JOIN pg_catalog.pg_class AS i
        ON i.oid = x.indexrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = i.relnamespace
    INNER JOIN pg_catalog.pg_class AS t
        ON t.oid = x.indrelid
    INNER JOIN pg_catalog.pg_namespace AS tn
        ON tn.oid = t.relnamespace
    WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)
        -- The index of a partitioned table made ON ONLY waits for those of its partitions; that is how it is done.
        AND i.relkind = 'i'
        AND NOT pg_catalog.pg_is_other_temp_schema(i.relnamespace)
        AND NOT EXISTS (
            SELECT 1
            FROM building AS b
            WHERE b.relation = x.indrelid
        )
)

SELECT
    b.name AS object,
    1::numeric AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        '%s of %s%s; no query reads it, every write of the table pays for it',
        CASE WHEN b.indisunique THEN 'unique index' ELSE 'index' END,
        b.table_name,
        CASE b.leftover
            WHEN 'new' THEN ', left by a REINDEX CONCURRENTLY that failed; the index it was to replace still works'
            WHEN 'old' THEN ', replaced by a REINDEX CONCURRENTLY that failed in its last step; the new index works'
            ELSE ', left by a CREATE INDEX CONCURRENTLY or REINDEX that failed'
        END
    ) AS detail,
    CASE
        WHEN b.leftover <> '' AND NOT b.bound THEN pg_catalog.format('DROP INDEX CONCURRENTLY %s', b.name)
        WHEN b.bound THEN pg_catalog.format('REINDEX INDEX CONCURRENTLY %s', b.name)
        ELSE pg_catalog.format('REINDEX INDEX CONCURRENTLY %1$s, or DROP INDEX CONCURRENTLY %1$s', b.name)
    END AS fix
FROM broken AS b
ORDER BY
    b.relpages DESC,
    b.name ASC
LIMIT 50;
