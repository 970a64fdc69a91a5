-- answers: Which triggers are there on what is in the schemas named in "schemas"? Partitions inherit theirs.
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || c.relname || ' ' || t.tgname AS name,
    jsonb_build_object(
        'definition', pg_catalog.pg_get_triggerdef(t.oid),
        'enabled', CASE t.tgenabled
            WHEN 'A' THEN 'always'
            WHEN 'O' THEN 'origin'
            WHEN 'R' THEN 'replica'
            ELSE 'disabled'
        END
    ) AS facts
FROM pg_catalog.pg_trigger AS t
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = t.tgrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND NOT t.tgisinternal
    AND t.tgparentid = 0
    AND NOT c.relispartition
ORDER BY name;
