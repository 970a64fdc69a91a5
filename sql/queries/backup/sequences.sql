-- answers: Which sequences does a dump carry the state of, and which way do they go?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- A standby has nothing of unlogged sequences. Those of extensions come with CREATE EXTENSION, except those that the
-- extension calls configuration.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    s.seqincrement AS step,
    s.seqcycle AS cycles
FROM pg_catalog.pg_sequence AS s
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = s.seqrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE (c.relpersistence = 'p' OR (c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery()))
    AND n.nspname NOT LIKE 'pg\_%'
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
    n.nspname,
    c.relname;
