-- answers: What are the tables of the schemas named in "schemas"? Partitions are left out: see catalog/partitions.
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || c.relname AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'owner', pg_catalog.pg_get_userbyid(c.relowner),
        'comment', pg_catalog.obj_description(c.oid, 'pg_class') IS NOT NULL,
        'rls', CASE
            WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'forced'
            WHEN c.relrowsecurity THEN 'enabled'
            ELSE 'off'
        END,
        'partitioned_by', CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
        'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
        'replica_identity', nullif(c.relreplident, 'd'),
        'options', to_jsonb(c.reloptions),
        'columns', (
            SELECT jsonb_agg(a.attname ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = c.oid
                AND a.attnum > 0
                AND NOT a.attisdropped
        )
    )) AS facts
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND c.relkind IN ('r', 'p', 'f')
    AND NOT c.relispartition
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = c.oid
            AND d.deptype = 'e'
    )
ORDER BY name;
