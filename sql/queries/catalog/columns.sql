-- answers: What are the columns of the tables in the schemas named in "schemas"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || c.relname || '.' || a.attname AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
        'not_null', a.attnotnull,
        'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        'generated', CASE
            WHEN a.attgenerated <> ''
                THEN CASE a.attgenerated WHEN 's' THEN 'stored ' ELSE 'virtual ' END
                    || pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        END,
        'identity', nullif(a.attidentity, ''),
        'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
        'comment', pg_catalog.col_description(c.oid, a.attnum) IS NOT NULL
    )) AS facts
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = a.attrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_type AS t
    ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d
    ON d.adrelid = a.attrelid
    AND d.adnum = a.attnum
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND c.relkind IN ('r', 'p', 'f')
    AND NOT c.relispartition
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY
    n.nspname,
    c.relname,
    a.attnum;
