-- answers: which triggers do not fire that should?
-- title: Triggers that are switched off
-- area: schema
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- none: every trigger fires
-- privileges: none
-- since: 15
-- cost: one pass over the triggers
WITH off AS (
    SELECT
        t.oid,
        t.tgrelid,
        t.tgname,
        t.tgenabled,
        t.tgisinternal,
        t.tgconstraint,
        t.tgfoid,
        t.tgparentid
    FROM pg_catalog.pg_trigger AS t
    WHERE t.tgenabled IN ('D', 'R')
),

-- Off at the parent is off in all partitions: one row says it.
tops AS (
    SELECT
        o.tgrelid,
        o.tgname,
        o.tgenabled,
        o.tgisinternal,
        o.tgconstraint,
        o.tgfoid
    FROM off AS o
    WHERE NOT EXISTS (
            SELECT 1
            FROM off AS p
            WHERE p.oid = o.tgparentid
                AND p.tgenabled = o.tgenabled
        )
),

ordinary AS (
    SELECT
        pg_catalog.format('%I.%I.%I', n.nspname, c.relname, t.tgname) AS object,
        CASE
            WHEN t.tgenabled = 'D' AND (n.nspname = 'audit' OR (fn.nspname, f.proname) IN (
                    ('family', 'require_consent'), ('family', 'protect_consent'), ('audit', 'log_row_change'),
                    ('audit', 'log_truncate'), ('audit', 'refuse_ledger_change')
                ))
                THEN 2
            ELSE 1
        END AS level,
        pg_catalog.format(
            '%s: %I.%I() is not called%s',
            CASE t.tgenabled WHEN 'D' THEN 'disabled' ELSE 'enabled for replicas only' END,
            fn.nspname,
            f.proname,
            CASE WHEN t.tgenabled = 'R' THEN ' for anything but replication' ELSE '' END
        ) AS detail,
        pg_catalog.format('ALTER TABLE %I.%I ENABLE TRIGGER %I', n.nspname, c.relname, t.tgname) AS fix
    FROM tops AS t
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = t.tgrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    INNER JOIN pg_catalog.pg_proc AS f
        ON f.oid = t.tgfoid
    INNER JOIN pg_catalog.pg_namespace AS fn
        ON fn.oid = f.pronamespace
    WHERE NOT t.tgisinternal
        AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
        -- The guards of the ledger have a row of their own.
        AND (fn.nspname, f.proname) IS DISTINCT FROM ('audit'::name, 'refuse_ledger_change'::name)
),

-- DISABLE TRIGGER ALL by a superuser takes the foreign keys along.
keys AS (
    SELECT DISTINCT
        pg_catalog.format('%I.%I.%I', n.nspname, c.relname, k.conname) AS object,
        2 AS level,
        pg_catalog.format(
            'the triggers of this constraint are switched off on %I.%I: it is not enforced', tn.nspname, r.relname
        ) AS detail,
        pg_catalog.format('ALTER TABLE %I.%I ENABLE TRIGGER ALL', tn.nspname, r.relname) AS fix
    FROM tops AS t
    INNER JOIN pg_catalog.pg_constraint AS k
        ON k.oid = t.tgconstraint
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = k.conrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    INNER JOIN pg_catalog.pg_class AS r
        ON r.oid = t.tgrelid
    INNER JOIN pg_catalog.pg_namespace AS tn
        ON tn.oid = r.relnamespace
    WHERE t.tgisinternal
        AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
),

-- Bits of tgtype: 8 delete and 16 update, 32 truncate.
wanted (bits, what) AS (
    SELECT
        24,
        'UPDATE and DELETE'
    UNION ALL
    SELECT
        32,
        'TRUNCATE'
),

-- The ledger is append-only as long as both triggers fire always, also for replication.
guards AS (
    SELECT
        pg_catalog.format('audit.%I', c.relname) AS object,
        2 AS level,
        pg_catalog.format(
            'append-only guard against %s %s',
            w.what,
            CASE
                WHEN max(t.tgname) IS NULL THEN 'is missing'
                WHEN bool_or(t.tgenabled = 'O') THEN 'is not ENABLE ALWAYS: a session in replica mode goes past it'
                ELSE 'is switched off'
            END
        ) AS detail,
        CASE
            WHEN max(t.tgname) IS NULL THEN 'wnadmin setup verify'
            ELSE pg_catalog.format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER %I', c.relname, min(t.tgname))
        END AS fix
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    CROSS JOIN wanted AS w
    LEFT JOIN pg_catalog.pg_trigger AS t
        ON t.tgrelid = c.oid
        AND t.tgtype & w.bits = w.bits
        AND t.tgfoid IN (
            SELECT f.oid
            FROM pg_catalog.pg_proc AS f
            WHERE f.pronamespace = n.oid
                AND f.proname = 'refuse_ledger_change'
        )
    WHERE n.nspname = 'audit'
        AND c.relname IN ('operator_ledger', 'ledger_checkpoints')
        AND c.relkind = 'r'
    GROUP BY
        c.relname,
        w.what
    HAVING NOT coalesce(bool_or(t.tgenabled = 'A'), FALSE)
),

-- In replica mode no ordinary trigger fires and no foreign key is enforced.
replica AS (
    SELECT
        CASE
            WHEN r.rolname IS NULL THEN pg_catalog.format('database %I', pg_catalog.current_database())
            ELSE pg_catalog.format('role %I', r.rolname)
        END AS object,
        2 AS level,
        'its sessions start with session_replication_role = replica: no trigger of theirs fires, no foreign key holds'
            AS detail,
        CASE
            WHEN r.rolname IS NULL
                THEN pg_catalog.format(
                        'ALTER DATABASE %I RESET session_replication_role', pg_catalog.current_database()
                    )
            WHEN s.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE %I RESET session_replication_role', r.rolname)
            ELSE pg_catalog.format(
                    'ALTER ROLE %I IN DATABASE %I RESET session_replication_role',
                    r.rolname,
                    pg_catalog.current_database()
                )
        END AS fix
    FROM pg_catalog.pg_db_role_setting AS s
    LEFT JOIN pg_catalog.pg_roles AS r
        ON r.oid = s.setrole
    WHERE 'session_replication_role=replica' = ANY (s.setconfig)
        AND s.setdatabase IN (
            SELECT 0::oid
            UNION ALL
            SELECT d.oid
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database()
        )
),

found AS (
    SELECT
        o.object,
        o.level,
        o.detail,
        o.fix
    FROM ordinary AS o
    UNION ALL
    SELECT
        k.object,
        k.level,
        k.detail,
        k.fix
    FROM keys AS k
    UNION ALL
    SELECT
        g.object,
        g.level,
        g.detail,
        g.fix
    FROM guards AS g
    UNION ALL
    SELECT
        r.object,
        r.level,
        r.detail,
        r.fix
    FROM replica AS r
)

SELECT
    f.object,
    f.level::numeric AS measured,
    NULL::timestamptz AS since,
    f.detail,
    f.fix
FROM found AS f
ORDER BY
    f.level DESC,
    f.object ASC
LIMIT 50;
