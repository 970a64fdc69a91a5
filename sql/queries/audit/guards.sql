-- answers: Is the operator ledger still protected against every writer but its own function?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
WITH wanted (name) AS (
    SELECT 'operator_ledger'
    UNION ALL
    SELECT 'ledger_checkpoints'
),

house AS (
    SELECT n.oid
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = 'audit'
),

relation AS (
    SELECT
        w.name,
        c.oid,
        c.relowner,
        c.relkind,
        c.relpersistence,
        c.relhasrules,
        c.relacl,
        pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
    FROM wanted AS w
    LEFT JOIN pg_catalog.pg_class AS c
        ON c.relname = w.name
        AND c.relnamespace = (SELECT h.oid FROM house AS h)
),

guarding AS (
    -- Bits of tgtype: 1 a row, 2 before, 8 delete, 16 update, 32 truncate.
    SELECT
        r.name,
        coalesce(
            bool_or(t.tgtype & 27 = 27 AND t.tgenabled = 'A' AND t.tgqual IS NULL AND t.tgattr::text = ''), false
        ) AS rows_held,
        coalesce(bool_or(t.tgtype & 34 = 34 AND t.tgenabled = 'A'), false) AS truncate_held,
        coalesce(string_agg(t.tgname || ' is ' || CASE t.tgenabled
            WHEN 'A' THEN 'always on'
            WHEN 'O' THEN 'off in replica mode'
            WHEN 'R' THEN 'on in replica mode only'
            ELSE 'disabled'
        END, ', ' ORDER BY t.tgname), 'there is no trigger') AS state
    FROM relation AS r
    LEFT JOIN pg_catalog.pg_trigger AS t
        ON t.tgrelid = r.oid
        AND NOT t.tgisinternal
    GROUP BY r.name
),

grants AS (
    SELECT
        r.name,
        g.privilege_type || ' to ' || coalesce(a.rolname::text, 'PUBLIC') AS what
    FROM relation AS r
    CROSS JOIN LATERAL pg_catalog.aclexplode(r.relacl) AS g
    LEFT JOIN pg_catalog.pg_roles AS a
        ON a.oid = g.grantee
    WHERE g.grantee <> r.relowner
        AND g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    UNION ALL
    SELECT
        r.name,
        g.privilege_type || ' (' || t.attname || ') to ' || coalesce(a.rolname::text, 'PUBLIC') AS what
    FROM relation AS r
    INNER JOIN pg_catalog.pg_attribute AS t
        ON t.attrelid = r.oid
    CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) AS g
    LEFT JOIN pg_catalog.pg_roles AS a
        ON a.oid = g.grantee
    WHERE g.grantee <> r.relowner
        AND g.privilege_type IN ('INSERT', 'UPDATE')
),

doors (name, arguments) AS (
    SELECT
        'ledger_append',
        '2950 25 25'
    UNION ALL
    SELECT
        'ledger_checkpoint',
        '20 25'
    UNION ALL
    SELECT
        'ledger_remove_sealed',
        '20'
),

writer AS (
    SELECT
        w.name,
        p.oid,
        p.prosecdef,
        p.provolatile,
        p.proacl,
        p.proowner,
        p.proconfig,
        pg_catalog.pg_get_userbyid(p.proowner)::text AS owner
    FROM doors AS w
    LEFT JOIN pg_catalog.pg_proc AS p
        ON p.proname = w.name
        AND p.proargtypes::text = w.arguments
        AND p.pronamespace = (SELECT h.oid FROM house AS h)
),

members AS (
    SELECT
        a.roleid,
        string_agg(g.rolname::text, ', ' ORDER BY g.rolname) AS names
    FROM pg_catalog.pg_auth_members AS a
    INNER JOIN pg_catalog.pg_roles AS g
        ON g.oid = a.member
    WHERE NOT g.rolsuper
    GROUP BY a.roleid
),

opened AS (
    SELECT DISTINCT w.oid
    FROM writer AS w
    CROSS JOIN LATERAL pg_catalog.aclexplode(w.proacl) AS g
    WHERE g.grantee = 0
),

rules AS (
    SELECT
        'audit.' || r.name AS object,
        'is an ordinary, permanent table without rewrite rules' AS rule,
        coalesce(r.relkind = 'r' AND r.relpersistence = 'p' AND NOT r.relhasrules, false) AS holds,
        coalesce(
            'kind ' || r.relkind::text || ', persistence ' || r.relpersistence::text
            || ', rules ' || r.relhasrules::text,
            'it does not exist'
        ) AS found
    FROM relation AS r
    UNION ALL
    SELECT
        'audit.' || r.name,
        'belongs to wondernest_audit_owner',
        coalesce(r.owner = 'wondernest_audit_owner', false),
        'the owner is ' || coalesce(r.owner, 'nobody')
    FROM relation AS r
    UNION ALL
    SELECT
        'audit.' || g.name,
        'a trigger that is always on refuses UPDATE and DELETE',
        g.rows_held,
        g.state
    FROM guarding AS g
    UNION ALL
    SELECT
        'audit.' || g.name,
        'a trigger that is always on refuses TRUNCATE',
        g.truncate_held,
        g.state
    FROM guarding AS g
    UNION ALL
    SELECT
        'audit.' || r.name,
        'nobody but the owner may write',
        g.listed IS NULL,
        coalesce(g.listed, 'no grant')
    FROM relation AS r
    LEFT JOIN (
        SELECT
            g.name,
            string_agg(g.what, ', ' ORDER BY g.what) AS listed
        FROM grants AS g
        GROUP BY g.name
    ) AS g
        ON g.name = r.name
    UNION ALL
    SELECT
        'wondernest_audit_owner',
        'nobody can log in as the owner or become it',
        NOT o.rolcanlogin AND m.names IS NULL,
        'login ' || o.rolcanlogin::text || ', members: ' || coalesce(m.names, 'none')
    FROM pg_catalog.pg_roles AS o
    LEFT JOIN members AS m
        ON m.roleid = o.oid
    WHERE o.rolname = 'wondernest_audit_owner'
    UNION ALL
    SELECT
        'audit.' || w.name,
        'runs as wondernest_audit_owner with its search path pinned',
        coalesce(
            w.owner = 'wondernest_audit_owner'
            AND w.prosecdef
            AND w.provolatile = 'v'
            AND 'search_path=pg_catalog, pg_temp' = ANY (w.proconfig),
            false
        ),
        coalesce(
            'owner ' || w.owner || ', security definer ' || w.prosecdef::text || ', settings '
            || coalesce(array_to_string(w.proconfig, '; '), 'none'),
            'it does not exist'
        )
    FROM writer AS w
    UNION ALL
    SELECT
        'audit.' || w.name,
        'is not executable by PUBLIC',
        w.proacl IS NOT NULL AND e.oid IS NULL,
        coalesce(w.proacl::text, 'no access list: PUBLIC may execute it')
    FROM writer AS w
    LEFT JOIN opened AS e
        ON e.oid = w.oid
)

SELECT
    r.object,
    r.rule,
    r.holds,
    r.found
FROM rules AS r
ORDER BY
    r.object,
    r.rule;
