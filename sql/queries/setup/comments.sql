-- answers: What do the comments say that are on the objects of the schemas named in "schemas"? Partitions have none.
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
WITH ours AS (
    SELECT
        n.oid,
        n.nspname
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
),

relation AS (
    SELECT
        c.oid,
        c.relkind,
        o.nspname || '.' || c.relname AS name
    FROM pg_catalog.pg_class AS c
    INNER JOIN ours AS o
        ON o.oid = c.relnamespace
    WHERE NOT c.relispartition
),

object (classid, objid, objsubid, name) AS (
    SELECT
        'pg_catalog.pg_namespace'::regclass,
        o.oid,
        0,
        'schema ' || o.nspname
    FROM ours AS o
    UNION ALL
    SELECT
        'pg_catalog.pg_class'::regclass,
        r.oid,
        0,
        CASE r.relkind
            WHEN 'v' THEN 'view '
            WHEN 'm' THEN 'materialized view '
            WHEN 'S' THEN 'sequence '
            WHEN 'i' THEN 'index '
            WHEN 'I' THEN 'index '
            ELSE 'table '
        END || r.name
    FROM relation AS r
    WHERE r.relkind <> 'c'
    UNION ALL
    SELECT
        'pg_catalog.pg_class'::regclass,
        r.oid,
        a.attnum,
        'column ' || r.name || '.' || a.attname
    FROM relation AS r
    INNER JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = r.oid
    WHERE a.attnum > 0
        AND NOT a.attisdropped
    UNION ALL
    SELECT
        'pg_catalog.pg_proc'::regclass,
        p.oid,
        0,
        CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END
        || o.nspname || '.' || p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'
    FROM pg_catalog.pg_proc AS p
    INNER JOIN ours AS o
        ON o.oid = p.pronamespace
    UNION ALL
    SELECT
        'pg_catalog.pg_type'::regclass,
        t.oid,
        0,
        CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || o.nspname || '.' || t.typname
    FROM pg_catalog.pg_type AS t
    INNER JOIN ours AS o
        ON o.oid = t.typnamespace
    UNION ALL
    SELECT
        'pg_catalog.pg_constraint'::regclass,
        k.oid,
        0,
        'constraint ' || r.name || ' ' || k.conname
    FROM pg_catalog.pg_constraint AS k
    INNER JOIN relation AS r
        ON r.oid = k.conrelid
    UNION ALL
    SELECT
        'pg_catalog.pg_trigger'::regclass,
        t.oid,
        0,
        'trigger ' || r.name || ' ' || t.tgname
    FROM pg_catalog.pg_trigger AS t
    INNER JOIN relation AS r
        ON r.oid = t.tgrelid
    UNION ALL
    SELECT
        'pg_catalog.pg_policy'::regclass,
        p.oid,
        0,
        'policy ' || r.name || ' ' || p.polname
    FROM pg_catalog.pg_policy AS p
    INNER JOIN relation AS r
        ON r.oid = p.polrelid
)

SELECT
    o.name,
    d.description AS comment
FROM pg_catalog.pg_description AS d
INNER JOIN object AS o
    ON o.classid = d.classoid
    AND o.objid = d.objoid
    AND o.objsubid = d.objsubid
WHERE NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS e
        WHERE e.classid = d.classoid
            AND e.objid = d.objoid
            AND e.deptype = 'e'
    )
ORDER BY o.name;
