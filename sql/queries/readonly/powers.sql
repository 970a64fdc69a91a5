-- answers: Which roles hold what lets them change data in this database, of their own and not as members of others?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: one pass over the privileges of all tables, columns, sequences, schemas and functions
-- "holder" is '' for everybody. Kinds: owner, table, column, sequence, schema, database, everything, function, blob.
-- A function counts that runs with its owner's rights and may write, as one that is not VOLATILE cannot by itself;
-- those named in "spared" do not. blob stands for the functions that write large objects, which everybody may call.
WITH places AS (
    SELECT
        n.oid,
        n.nspname,
        n.nspowner,
        n.nspacl
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND n.nspname NOT LIKE 'pg\_temp\_%'
        AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
),

here AS (
    SELECT
        d.datname,
        d.datdba,
        d.datacl
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
),

held AS (
    SELECT
        a.grantee AS holder,
        CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
        pg_catalog.format('%I.%I', p.nspname, c.relname) AS object
    FROM pg_catalog.pg_class AS c
    INNER JOIN places AS p
        ON p.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
    WHERE c.relkind IN ('r', 'p', 'v', 'f', 'S')
        AND a.grantee <> c.relowner
        AND a.privilege_type = ANY (
            CASE c.relkind WHEN 'S' THEN '{USAGE, UPDATE}' ELSE '{INSERT, UPDATE, DELETE, TRUNCATE}' END::text[]
        )
    UNION ALL
    SELECT
        a.grantee,
        'column',
        pg_catalog.format('%I.%I', p.nspname, c.relname)
    FROM pg_catalog.pg_attribute AS k
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = k.attrelid
    INNER JOIN places AS p
        ON p.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(k.attacl) AS a
    WHERE k.attacl IS NOT NULL
        AND a.grantee <> c.relowner
        AND a.privilege_type IN ('INSERT', 'UPDATE')
    UNION ALL
    SELECT
        a.grantee,
        'schema',
        p.nspname
    FROM places AS p
    CROSS JOIN LATERAL pg_catalog.aclexplode(p.nspacl) AS a
    WHERE a.privilege_type = 'CREATE'
        AND a.grantee <> p.nspowner
    UNION ALL
    SELECT
        a.grantee,
        'database',
        h.datname
    FROM here AS h
    CROSS JOIN LATERAL pg_catalog.aclexplode(h.datacl) AS a
    WHERE a.privilege_type = 'CREATE'
        AND a.grantee <> h.datdba
    UNION ALL
    SELECT
        c.relowner,
        'owner',
        pg_catalog.format('%I.%I', p.nspname, c.relname)
    FROM pg_catalog.pg_class AS c
    INNER JOIN places AS p
        ON p.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT
        p.nspowner,
        'owner',
        p.nspname
    FROM places AS p
    UNION ALL
    SELECT
        h.datdba,
        'owner',
        h.datname
    FROM here AS h
    UNION ALL
    -- Its one member is the owner of the database, and stands in no catalog.
    SELECT
        h.datdba,
        'owner',
        p.nspname
    FROM places AS p
    CROSS JOIN here AS h
    WHERE p.nspowner = 'pg_database_owner'::regrole
    UNION ALL
    SELECT
        'pg_write_all_data'::regrole::oid,
        'everything',
        h.datname
    FROM here AS h
    UNION ALL
    SELECT
        a.grantee,
        'function',
        p.oid::regprocedure::text
    FROM pg_catalog.pg_proc AS p
    CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
    WHERE p.prosecdef
        AND p.provolatile = 'v'
        AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
        AND a.grantee <> p.proowner
        AND p.oid::regproc::text <> ALL (:'spared'::text[])
    UNION ALL
    SELECT
        a.grantee,
        'blob',
        p.oid::regprocedure::text
    FROM pg_catalog.pg_proc AS p
    CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
        AND p.proname = ANY (
            '{lo_creat, lo_create, lo_from_bytea, lo_put, lowrite, lo_truncate, lo_truncate64, lo_unlink}'::text[]
        )
        AND a.grantee <> p.proowner
)

SELECT
    coalesce(r.rolname, '')::text AS holder,
    h.kind,
    count(DISTINCT h.object) AS objects,
    min(h.object)::text AS example
FROM held AS h
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = h.holder
WHERE h.holder = 0 OR r.oid IS NOT NULL
GROUP BY
    r.rolname,
    h.kind
ORDER BY
    r.rolname NULLS FIRST,
    h.kind;
