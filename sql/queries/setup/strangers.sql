-- answers: What is in this database that is not in the schemas named in "schemas" (comma-separated) and no extension's?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
WITH schema AS (
    SELECT
        n.oid,
        n.nspname
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname <> ALL (string_to_array(:'schemas'::text, ',') || ARRAY['information_schema'])
        AND n.nspname !~ '^pg_'
),

member AS (
    SELECT
        d.classid,
        d.objid
    FROM pg_catalog.pg_depend AS d
    WHERE d.deptype = 'e'
)

SELECT
    s.nspname::text AS schema_name,
    'schema ' || s.nspname AS object
FROM schema AS s
WHERE s.nspname <> 'public'
    AND NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = 'pg_catalog.pg_namespace'::regclass AND m.objid = s.oid
    )
UNION ALL
SELECT
    s.nspname::text AS schema_name,
    CASE c.relkind
        WHEN 'v' THEN 'view '
        WHEN 'm' THEN 'materialized view '
        WHEN 'S' THEN 'sequence '
        WHEN 'f' THEN 'foreign table '
        WHEN 'c' THEN 'type '
        ELSE 'table '
    END || s.nspname || '.' || c.relname AS object
FROM schema AS s
INNER JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = s.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    AND NOT c.relispartition
    AND (s.nspname, c.relname) <> ('public', 'flyway_schema_history')
    AND NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid
    )
UNION ALL
SELECT
    s.nspname::text AS schema_name,
    'function ' || s.nspname || '.' || p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS object
FROM schema AS s
INNER JOIN pg_catalog.pg_proc AS p
    ON p.pronamespace = s.oid
WHERE NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid
    )
UNION ALL
SELECT
    s.nspname::text AS schema_name,
    'type ' || s.nspname || '.' || t.typname AS object
FROM schema AS s
INNER JOIN pg_catalog.pg_type AS t
    ON t.typnamespace = s.oid
WHERE t.typtype IN ('e', 'd', 'r')
    AND NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = 'pg_catalog.pg_type'::regclass AND m.objid = t.oid
    )
ORDER BY
    schema_name,
    object;
