-- answers: What are the views and materialized views of the schemas named in "schemas"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || c.relname AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'kind', CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END,
        'owner', pg_catalog.pg_get_userbyid(c.relowner),
        'comment', pg_catalog.obj_description(c.oid, 'pg_class') IS NOT NULL,
        'options', to_jsonb(c.reloptions),
        'columns', (
            SELECT jsonb_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = c.oid
                AND a.attnum > 0
                AND NOT a.attisdropped
        ),
        'definition', pg_catalog.pg_get_viewdef(c.oid)
    )) AS facts
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND c.relkind IN ('v', 'm')
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = c.oid
            AND d.deptype = 'e'
    )
ORDER BY name;
