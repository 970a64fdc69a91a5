-- answers: What stands beside WonderNest in this database and is no file's, by kind? ("schemas", "roles": its own)
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- Objects of schemas that are not WonderNest's are told by queries/setup/strangers. The extensions named here come
-- with PostgreSQL or are made by file 01 where the server has them.
WITH member AS (
    SELECT
        d.classid,
        d.objid
    FROM pg_catalog.pg_depend AS d
    WHERE d.deptype = 'e'
),

ours AS (
    SELECT
        n.oid,
        n.nspname
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
),

placed (kind, classid, oid, nspoid, name, facts) AS (
    SELECT
        'operator',
        'pg_catalog.pg_operator'::regclass,
        o.oid,
        o.oprnamespace,
        o.oid::regoperator::text,
        jsonb_build_object('function', o.oprcode::regproc::text)
    FROM pg_catalog.pg_operator AS o
    UNION ALL
    SELECT
        'collation',
        'pg_catalog.pg_collation'::regclass,
        c.oid,
        c.collnamespace,
        c.oid::regcollation::text,
        '{}'
    FROM pg_catalog.pg_collation AS c
    UNION ALL
    SELECT
        'text search configuration',
        'pg_catalog.pg_ts_config'::regclass,
        c.oid,
        c.cfgnamespace,
        c.oid::regconfig::text,
        '{}'
    FROM pg_catalog.pg_ts_config AS c
)

SELECT
    'extension' AS kind,
    e.extname::text AS name,
    jsonb_build_object('schema', n.nspname) AS facts
FROM pg_catalog.pg_extension AS e
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = e.extnamespace
WHERE e.extname NOT IN ('plpgsql', 'pgcrypto', 'pg_stat_statements')
UNION ALL
SELECT
    'event trigger' AS kind,
    t.evtname::text AS name,
    jsonb_build_object('event', t.evtevent, 'function', t.evtfoid::regproc::text, 'enabled', t.evtenabled) AS facts
FROM pg_catalog.pg_event_trigger AS t
WHERE NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = 'pg_catalog.pg_event_trigger'::regclass AND m.objid = t.oid
    )
UNION ALL
SELECT
    'publication' AS kind,
    p.pubname::text AS name,
    jsonb_build_object('all_tables', p.puballtables) AS facts
FROM pg_catalog.pg_publication AS p
UNION ALL
SELECT
    'subscription' AS kind,
    s.subname::text AS name,
    '{}'::jsonb AS facts
FROM pg_catalog.pg_subscription AS s
INNER JOIN pg_catalog.pg_database AS b
    ON b.oid = s.subdbid
WHERE b.datname = current_database()
UNION ALL
SELECT
    'foreign data wrapper' AS kind,
    w.fdwname::text AS name,
    '{}'::jsonb AS facts
FROM pg_catalog.pg_foreign_data_wrapper AS w
WHERE NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass AND m.objid = w.oid
    )
UNION ALL
SELECT
    'foreign server' AS kind,
    s.srvname::text AS name,
    '{}'::jsonb AS facts
FROM pg_catalog.pg_foreign_server AS s
UNION ALL
SELECT
    'cast' AS kind,
    pg_catalog.format_type(c.castsource, NULL) || ' as ' || pg_catalog.format_type(c.casttarget, NULL) AS name,
    jsonb_build_object('context', c.castcontext) AS facts
FROM pg_catalog.pg_cast AS c
WHERE c.oid >= 16384
    AND NOT EXISTS (
        -- Of an extension, or made with a range type.
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_cast'::regclass
            AND d.objid = c.oid
            AND d.deptype IN ('e', 'i')
    )
UNION ALL
SELECT
    p.kind,
    p.name,
    p.facts
FROM placed AS p
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = p.nspoid
WHERE n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT 1 FROM member AS m
        WHERE m.classid = p.classid AND m.objid = p.oid
    )
UNION ALL
-- Whoever may create in public may put something there that is called instead of what was meant.
SELECT
    'right to create in' AS kind,
    'schema public to ' || coalesce(r.rolname::text, 'PUBLIC') AS name,
    '{}'::jsonb AS facts
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS a
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = a.grantee
WHERE n.nspname = 'public'
    AND a.privilege_type = 'CREATE'
    AND a.grantee <> n.nspowner
    AND r.rolname IS DISTINCT FROM 'wondernest_owner'
UNION ALL
-- Whoever may write the history can make a migration seem applied.
SELECT
    'right to write' AS kind,
    'table public.flyway_schema_history to ' || coalesce(r.rolname::text, 'PUBLIC') AS name,
    jsonb_build_object('privileges', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)) AS facts
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = a.grantee
WHERE c.oid = to_regclass('public.flyway_schema_history')
    AND a.privilege_type <> 'SELECT'
    AND a.grantee <> c.relowner
GROUP BY r.rolname
UNION ALL
SELECT
    'default privilege' AS kind,
    r.rolname || ' ' || CASE d.defaclobjtype
        WHEN 'r' THEN 'tables'
        WHEN 'S' THEN 'sequences'
        WHEN 'f' THEN 'functions'
        WHEN 'T' THEN 'types'
    END || ' in ' || o.nspname || ' to ' || coalesce(g.rolname::text, 'PUBLIC') AS name,
    jsonb_build_object('privileges', string_agg(
        a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY a.privilege_type
    )) AS facts
FROM pg_catalog.pg_default_acl AS d
INNER JOIN pg_catalog.pg_roles AS r
    ON r.oid = d.defaclrole
INNER JOIN ours AS o
    ON o.oid = d.defaclnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS a
LEFT JOIN pg_catalog.pg_roles AS g
    ON g.oid = a.grantee
WHERE r.rolname <> ALL (string_to_array(:'roles'::text, ','))
GROUP BY
    r.rolname,
    d.defaclobjtype,
    o.nspname,
    g.rolname
UNION ALL
SELECT
    'planner setting of' AS kind,
    'column ' || o.nspname || '.' || c.relname || '.' || a.attname AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END,
        'usual_storage', CASE WHEN a.attstorage <> t.typstorage THEN t.typstorage END,
        'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
        'statistics', nullif(coalesce(a.attstattarget, -1), -1),
        'options', to_jsonb(a.attoptions)
    )) AS facts
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = a.attrelid
INNER JOIN ours AS o
    ON o.oid = c.relnamespace
INNER JOIN pg_catalog.pg_type AS t
    ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p')
    AND NOT c.relispartition
    AND a.attnum > 0
    AND NOT a.attisdropped
    AND (
        a.attstorage <> t.typstorage
        OR a.attcompression <> ''
        OR coalesce(a.attstattarget, -1) <> -1
        OR a.attoptions IS NOT NULL
    )
ORDER BY
    kind,
    name;
