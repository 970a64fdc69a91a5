-- answers: Which tables are former partitions that wnadmin detached and still keeps, and what does their mark say?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups, and the size of each
-- The mark is the table's comment: it goes wherever the table goes, also through a dump and a restore.
SELECT
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    pg_catalog.pg_has_role(session_user, c.relowner, 'MEMBER') AS may_change,
    d.description AS mark,
    CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS estimated_rows,
    c.relpages * pg_catalog.current_setting('block_size')::bigint AS heap_bytes,
    coalesce(
        (
            SELECT pg_catalog.array_agg(k.conname::text ORDER BY k.conname)
            FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid = c.oid
                AND k.contype = 'f'
        ),
        '{}'
    ) AS foreign_keys,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid
            AND a.attname = 'legal_hold'
            AND a.atttypid = 'pg_catalog.bool'::pg_catalog.regtype
            AND NOT a.attisdropped
    ) AS has_hold,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid
            AND a.attname = 'retention_until'
            AND a.atttypid IN ('pg_catalog.date'::pg_catalog.regtype, 'pg_catalog.timestamptz'::pg_catalog.regtype)
            AND NOT a.attisdropped
    ) AS has_until
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_description AS d
    ON d.objoid = c.oid
    AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objsubid = 0
WHERE c.relkind = 'r'
    AND NOT c.relispartition
    AND starts_with(d.description, 'wnadmin:detached')
ORDER BY
    n.nspname,
    c.relname;
