-- answers: Which tables are under row-level security, what is the key of each, and which collect only with consent?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || c.relname AS name,
    c.relrowsecurity AS is_guarded,
    c.relkind = 'p' AS is_partitioned,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = c.oid
            AND t.tgfoid = to_regprocedure('family.require_consent()')
            AND t.tgenabled IN ('O', 'A')
    ) AS collects,
    array(
        SELECT a.attname::text
        FROM pg_catalog.pg_index AS i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = i.indrelid
            AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid
            AND i.indisprimary
        ORDER BY k.place
    ) AS keys
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND c.relkind IN ('r', 'p')
    AND NOT c.relispartition
ORDER BY name;
