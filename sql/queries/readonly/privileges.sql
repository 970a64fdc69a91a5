-- answers: On which objects do these roles hold what lets them change data, and who else holds what there?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: one pass over the privileges of all tables, columns, sequences, schemas and functions
-- One row for each object and privilege of its list, in the order of the list, which "list" has as it stands ('' where
-- it was never written). '' among the roles, and as grantee, is everybody. "taken" marks what lets them change data.
-- "direct" are roles whose own privileges on data count, "callers" those whose own right to call functions does.
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

objects AS (
    SELECT
        CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
        p.nspname::text AS schema_name,
        c.relname::text AS name,
        '' AS detail,
        c.relowner AS owner,
        c.relacl AS list,
        c.relacl AS effective,
        CASE c.relkind WHEN 'S' THEN '{USAGE, UPDATE}' ELSE '{INSERT, UPDATE, DELETE, TRUNCATE}' END::text[] AS writing,
        'direct' AS whose
    FROM pg_catalog.pg_class AS c
    INNER JOIN places AS p
        ON p.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'f', 'S')
    UNION ALL
    SELECT
        'column',
        p.nspname::text,
        c.relname::text,
        k.attname::text,
        c.relowner,
        k.attacl AS list,
        k.attacl AS effective,
        '{INSERT, UPDATE}'::text[],
        'direct'
    FROM pg_catalog.pg_attribute AS k
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = k.attrelid
    INNER JOIN places AS p
        ON p.oid = c.relnamespace
    WHERE k.attacl IS NOT NULL
    UNION ALL
    SELECT
        'schema',
        '',
        p.nspname::text,
        '',
        p.nspowner,
        p.nspacl AS list,
        p.nspacl AS effective,
        '{CREATE}'::text[],
        'direct'
    FROM places AS p
    UNION ALL
    SELECT
        'database',
        '',
        d.datname::text,
        '',
        d.datdba,
        d.datacl AS list,
        d.datacl AS effective,
        '{CREATE}'::text[],
        'direct'
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
    UNION ALL
    SELECT
        'function',
        n.nspname::text,
        p.proname::text,
        pg_catalog.pg_get_function_identity_arguments(p.oid),
        p.proowner,
        p.proacl,
        coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner)),
        '{EXECUTE}'::text[],
        'callers'
    FROM pg_catalog.pg_proc AS p
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = p.pronamespace
    WHERE p.oid::regproc::text <> ALL (:'spared'::text[])
        AND (
            (
                p.prosecdef
                AND p.provolatile = 'v'
                AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
            )
            OR (
                n.nspname = 'pg_catalog'
                AND p.proname IN (
                    'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite',
                    'lo_truncate', 'lo_truncate64', 'lo_unlink'
                )
            )
        )
),

exploded AS (
    SELECT
        o.kind,
        o.schema_name,
        o.name,
        o.detail,
        o.owner,
        o.list,
        i.place,
        a.grantor,
        a.grantee,
        a.privilege_type,
        a.is_grantable,
        a.grantee <> o.owner
        AND a.privilege_type = ANY (o.writing)
        AND coalesce(r.rolname, '') = ANY (
            CASE o.whose WHEN 'direct' THEN :'direct'::text[] ELSE :'callers'::text[] END
        ) AS taken
    FROM objects AS o
    CROSS JOIN LATERAL unnest(o.effective) WITH ORDINALITY AS i (item, place)
    CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[i.item]) AS a
    LEFT JOIN pg_catalog.pg_roles AS r
        ON r.oid = a.grantee
)

SELECT
    e.kind,
    e.schema_name AS schema,
    e.name,
    e.detail,
    w.rolname::text AS owner,
    coalesce(e.list::text, '') AS list,
    coalesce(g.rolname, '')::text AS grantor,
    coalesce(r.rolname, '')::text AS grantee,
    e.privilege_type AS privilege,
    e.is_grantable AS grantable,
    e.taken
FROM exploded AS e
INNER JOIN pg_catalog.pg_roles AS w
    ON w.oid = e.owner
LEFT JOIN pg_catalog.pg_roles AS g
    ON g.oid = e.grantor
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = e.grantee
WHERE EXISTS (
        SELECT 1
        FROM exploded AS t
        WHERE t.taken
        -- Privileges of columns go and come with those of their table.
            AND (t.kind = e.kind OR (t.kind = 'table' AND e.kind = 'column'))
            AND t.schema_name = e.schema_name
            AND t.name = e.name
            AND (t.detail = e.detail OR t.kind <> e.kind)
    )
ORDER BY
    e.kind = 'column' ASC,
    e.kind ASC,
    e.schema_name ASC,
    e.name ASC,
    e.detail ASC,
    e.place ASC;
