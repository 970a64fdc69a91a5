-- answers: which of the privileges that a look needs does a role have, and what GRANT gives the rest?
-- privileges: none
-- since: 15
-- cost: a catalog look
-- Each need is KIND:NAME: member:pg_read_all_stats, select:audit.operator_ledger,
-- execute:admin.get_db_health_metrics(), extension:pgstattuple.
WITH wanted AS (
    SELECT
        w.need,
        pg_catalog.split_part(w.need, ':', 1) AS kind,
        pg_catalog.substr(w.need, pg_catalog.strpos(w.need, ':') + 1) AS name
    FROM pg_catalog.unnest(:'needs'::text[]) AS w (need)
),

things AS (
    SELECT
        'select' AS kind,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
        n.nspname,
        pg_catalog.has_table_privilege(:'role'::name, c.oid, 'SELECT') AS has,
        pg_catalog.has_schema_privilege(:'role'::name, n.oid, 'USAGE') AS enters
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    INNER JOIN wanted AS w
        ON w.kind = 'select'
        AND w.name = pg_catalog.format('%I.%I', n.nspname, c.relname)
    UNION ALL
    SELECT
        'execute',
        pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),
        n.nspname,
        pg_catalog.has_function_privilege(:'role'::name, p.oid, 'EXECUTE'),
        pg_catalog.has_schema_privilege(:'role'::name, n.oid, 'USAGE')
    FROM pg_catalog.pg_proc AS p
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = p.pronamespace
    INNER JOIN wanted AS w
        ON w.kind = 'execute'
        AND pg_catalog.split_part(pg_catalog.split_part(w.name, '(', 1), '.', 2) = p.proname
    UNION ALL
    SELECT
        'member',
        r.rolname,
        NULL,
        pg_catalog.pg_has_role(:'role'::name, r.oid, 'USAGE'),
        TRUE
    FROM pg_catalog.pg_roles AS r
    INNER JOIN wanted AS w
        ON w.kind = 'member'
        AND w.name = r.rolname
    UNION ALL
    SELECT
        'extension',
        e.extname,
        NULL,
        TRUE,
        TRUE
    FROM pg_catalog.pg_extension AS e
    INNER JOIN wanted AS w
        ON w.kind = 'extension'
        AND w.name = e.extname
)

SELECT
    w.need,
    t.name IS NOT NULL AS present,
    coalesce(t.has AND t.enters, FALSE) AS met,
    CASE
        WHEN w.kind = 'extension' THEN pg_catalog.format('CREATE EXTENSION %I', w.name)
        WHEN w.kind = 'member' THEN pg_catalog.format('GRANT %I TO %I', w.name, :'role'::name)
        ELSE pg_catalog.concat_ws(
                '; ',
                CASE
                    WHEN NOT t.enters
                        THEN pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', t.nspname, :'role'::name)
                END,
                CASE
                    WHEN t.has THEN NULL
                    WHEN w.kind = 'select'
                        THEN pg_catalog.format('GRANT SELECT ON %s TO %I', w.name, :'role'::name)
                    ELSE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', w.name, :'role'::name)
                END
            )
    END AS remedy
FROM wanted AS w
LEFT JOIN things AS t
    ON t.kind = w.kind
    AND t.name = w.name
ORDER BY w.need;
