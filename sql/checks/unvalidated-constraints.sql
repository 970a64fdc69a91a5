-- answers: which constraints have not been proven for the rows that are there, or are not enforced at all?
-- title: Constraints that are not proven
-- area: schema
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- none: every constraint holds for every row
-- privileges: none
-- since: 15
-- cost: one pass over the constraints
WITH unproven AS (
    SELECT
        k.oid,
        k.conname,
        k.contype,
        k.contypid,
        k.confrelid,
        pg_catalog.format('%I.%I', n.nspname, coalesce(c.relname, t.typname)) AS name,
        -- The column exists from PostgreSQL 18 on.
        coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, TRUE) AS enforced
    FROM pg_catalog.pg_constraint AS k
    LEFT JOIN pg_catalog.pg_class AS c
        ON c.oid = k.conrelid
    LEFT JOIN pg_catalog.pg_type AS t
        ON t.oid = k.contypid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = coalesce(c.relnamespace, t.typnamespace)
    WHERE NOT k.convalidated
        AND k.contype IN ('c', 'f', 'n')
        -- A partition or child says the same as its parent; one of its own is its own matter.
        AND (
            k.coninhcount = 0
            OR k.conislocal
        )
        AND NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_constraint AS p
            WHERE p.oid = k.conparentid
                AND NOT p.convalidated
        )
        AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
),

worded AS (
    SELECT
        u.oid,
        u.conname,
        u.contype,
        u.contypid,
        u.name,
        u.enforced,
        CASE u.contype
            WHEN 'f' THEN pg_catalog.format('foreign key to %s', u.confrelid::pg_catalog.regclass)
            WHEN 'n' THEN 'not-null constraint'
            ELSE 'check constraint'
        END AS kind
    FROM unproven AS u
)

SELECT
    pg_catalog.format('%s.%I', w.name, w.conname) AS object,
    1::numeric AS measured,
    NULL::timestamptz AS since,
    CASE
        WHEN w.enforced
            THEN pg_catalog.format(
                    '%s NOT VALID: rows older than it may break it, and the planner does not use it', w.kind
                )
        ELSE pg_catalog.format('%s NOT ENFORCED: nobody checks it, for old rows or new ones', w.kind)
    END AS detail,
    CASE
        WHEN NOT w.enforced AND w.contype = 'f'
            THEN pg_catalog.format('ALTER TABLE %s ALTER CONSTRAINT %I ENFORCED', w.name, w.conname)
        WHEN NOT w.enforced
            THEN pg_catalog.format(
                    'ALTER TABLE %s DROP CONSTRAINT %I, and add it again as %s',
                    w.name,
                    w.conname,
                    pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(w.oid), '\s*NOT ENFORCED$', ' NOT VALID')
                )
        WHEN w.contypid <> 0
            THEN pg_catalog.format('ALTER DOMAIN %s VALIDATE CONSTRAINT %I', w.name, w.conname)
        ELSE pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', w.name, w.conname)
    END AS fix
FROM worded AS w
ORDER BY
    w.enforced,
    object
LIMIT 50;
