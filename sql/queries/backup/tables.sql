-- answers: Which tables hold rows that a dump carries, the biggest first?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- Partitions stand for their parents. A standby has no rows of unlogged tables. Tables of extensions come with
-- CREATE EXTENSION, except those that the extension calls configuration. To ask for real sizes would wait for locks.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint AS bytes
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
    AND (c.relpersistence = 'p' OR (c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery()))
    AND n.nspname NOT LIKE 'pg\_%'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS p
        INNER JOIN pg_catalog.pg_extension AS e
            ON e.oid = p.refobjid
        WHERE p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND p.objid = c.oid
            AND p.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND p.deptype = 'e'
            AND NOT (c.oid = ANY (coalesce(e.extconfig, '{}')))
    )
ORDER BY
    c.relpages DESC,
    n.nspname ASC,
    c.relname ASC;
