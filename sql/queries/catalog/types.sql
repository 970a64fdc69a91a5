-- answers: What are the enums, domains and composite types of the schemas named in "schemas"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    pg_catalog.format_type(t.oid, NULL) AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'kind', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite' ELSE 'range' END,
        'owner', pg_catalog.pg_get_userbyid(t.typowner),
        'comment', pg_catalog.obj_description(t.oid, 'pg_type') IS NOT NULL,
        'base', CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END,
        'default', t.typdefault,
        'not_null', nullif(t.typnotnull, false),
        'labels', (
            SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
            FROM pg_catalog.pg_enum AS e
            WHERE e.enumtypid = t.oid
        ),
        'checks', (
            SELECT jsonb_object_agg(k.conname, pg_catalog.pg_get_constraintdef(k.oid))
            FROM pg_catalog.pg_constraint AS k
            WHERE k.contypid = t.oid
                AND k.contype = 'c'
        ),
        'attributes', (
            SELECT jsonb_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = t.typrelid
                AND a.attnum > 0
                AND NOT a.attisdropped
        )
    )) AS facts
FROM pg_catalog.pg_type AS t
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class AS c
    ON c.oid = t.typrelid
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_type'::regclass
            AND d.objid = t.oid
            AND d.deptype = 'e'
    )
ORDER BY name;
