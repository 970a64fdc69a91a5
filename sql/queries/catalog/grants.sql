-- answers: Who may do what with the objects of the schemas named in "schemas", and with this database?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- Of the owner only what differs from an owner's usual privileges is told. An asterisk is the grant option.
WITH object (what, acl, owner, kind) AS (
    SELECT
        'database',
        b.datacl,
        b.datdba,
        'd'
    FROM pg_catalog.pg_database AS b
    WHERE b.datname = current_database()
    UNION ALL
    SELECT
        'schema ' || n.nspname,
        n.nspacl,
        n.nspowner,
        'n'
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    UNION ALL
    SELECT
        CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' ELSE 'table ' END
        || n.nspname || '.' || c.relname,
        c.relacl,
        c.relowner,
        CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
        AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
        AND NOT c.relispartition
        AND NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_depend AS d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass
                AND d.objid = c.oid
                AND d.deptype = 'e'
        )
    UNION ALL
    SELECT
        'function ' || n.nspname || '.' || p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')',
        p.proacl,
        p.proowner,
        'f'
    FROM pg_catalog.pg_proc AS p
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = p.pronamespace
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
        AND NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_depend AS d
            WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                AND d.objid = p.oid
                AND d.deptype = 'e'
        )
    UNION ALL
    SELECT
        'type ' || n.nspname || '.' || t.typname,
        t.typacl,
        t.typowner,
        'T'
    FROM pg_catalog.pg_type AS t
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = t.typnamespace
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
        AND t.typtype IN ('e', 'd', 'r')
),

own AS (
    SELECT
        o.what,
        coalesce(string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), '') AS privileges
    FROM object AS o
    LEFT JOIN LATERAL pg_catalog.aclexplode(coalesce(o.acl, pg_catalog.acldefault(o.kind::"char", o.owner))) AS a
        ON a.grantee = o.owner
    GROUP BY o.what
),

usual AS (
    SELECT
        o.what,
        coalesce(string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), '') AS privileges
    FROM object AS o
    LEFT JOIN LATERAL pg_catalog.aclexplode(pg_catalog.acldefault(o.kind::"char", o.owner)) AS a
        ON a.grantee = o.owner
    GROUP BY o.what
),

held (what, acl) AS (
    SELECT
        o.what,
        coalesce(o.acl, pg_catalog.acldefault(o.kind::"char", o.owner))
    FROM object AS o
    UNION ALL
    SELECT
        'column ' || n.nspname || '.' || c.relname || '.' || t.attname,
        t.attacl
    FROM pg_catalog.pg_attribute AS t
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = t.attrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
        AND NOT c.relispartition
        AND t.attacl IS NOT NULL
        AND NOT t.attisdropped
)

SELECT
    h.what || ' to ' || coalesce(r.rolname::text, 'PUBLIC') AS name,
    jsonb_build_object('privileges', string_agg(
        a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY a.privilege_type
    )) AS facts
FROM held AS h
LEFT JOIN object AS o
    ON o.what = h.what
CROSS JOIN LATERAL pg_catalog.aclexplode(h.acl) AS a
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = a.grantee
WHERE a.grantee IS DISTINCT FROM o.owner
GROUP BY
    h.what,
    r.rolname
UNION ALL
SELECT
    o.what || ' to its owner' AS name,
    jsonb_build_object('privileges', o.privileges) AS facts
FROM own AS o
INNER JOIN usual AS u
    ON u.what = o.what
WHERE o.privileges <> u.privileges
ORDER BY name;
