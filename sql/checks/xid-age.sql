-- answers: how far has each database used up its transaction ids, and which table of this one is the oldest?
-- title: Transaction id age
-- area: transactions
-- unit: %
-- warn: > 40
-- critical: > 70
-- preset: triage, nightly
-- privileges: none
-- since: 15
-- cost: one pass over pg_class
WITH oldest AS (
    SELECT
        c.oid,
        c.relname,
        c.relkind,
        c.relnamespace,
        c.relpersistence,
        pg_catalog.age(c.relfrozenxid) AS used
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'm', 't')
        AND c.relfrozenxid <> '0'::xid
    ORDER BY used DESC
    LIMIT 1
),

named AS (
    SELECT
        o.used,
        CASE
            WHEN o.relkind = 't' THEN pg_catalog.format('the TOAST table of %I.%I', m.nspname, w.relname)
            WHEN o.relpersistence = 't' THEN pg_catalog.format('the temporary table %I.%I', n.nspname, o.relname)
            ELSE pg_catalog.format('%I.%I', n.nspname, o.relname)
        END AS relation,
        CASE
            WHEN o.relpersistence = 't' THEN 'End the session that owns the temporary table; nobody else can freeze it.'
            ELSE pg_catalog.format(
                    'Run wnadmin health run --only xmin-horizon, then in psql: VACUUM (FREEZE, VERBOSE) %I.%I',
                    coalesce(m.nspname, n.nspname),
                    coalesce(w.relname, o.relname)
                )
        END AS fix
    FROM oldest AS o
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = o.relnamespace
    LEFT JOIN pg_catalog.pg_class AS w
        ON o.relkind = 't'
        AND w.reltoastrelid = o.oid
    LEFT JOIN pg_catalog.pg_namespace AS m
        ON m.oid = w.relnamespace
),

databases AS (
    SELECT
        d.datname,
        pg_catalog.age(d.datfrozenxid) AS used,
        d.datname = pg_catalog.current_database() AS here,
        d.datallowconn
    FROM pg_catalog.pg_database AS d
)

SELECT
    pg_catalog.format('database %I', d.datname) AS object,
    -- Ids are compared in a circle of 2^32: half of it lies behind.
    round(100.0 * d.used / 2147483648, 4) AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        '%s transactions old, %s times autovacuum_freeze_max_age (%s)%s',
        d.used,
        round(d.used / pg_catalog.current_setting('autovacuum_freeze_max_age')::numeric, 1),
        pg_catalog.current_setting('autovacuum_freeze_max_age'),
        CASE WHEN d.here THEN pg_catalog.format('; its oldest table is %s with %s', n.relation, n.used) ELSE '' END
    ) AS detail,
    CASE
        WHEN d.here THEN n.fix
        WHEN d.datallowconn THEN pg_catalog.format('Look there: wnadmin health run --only xid-age, in %I', d.datname)
        ELSE pg_catalog.format('autovacuum freezes %I too; see that it runs: wnadmin tables vacuum-debt', d.datname)
    END AS fix
FROM databases AS d
LEFT JOIN named AS n
    ON d.here
ORDER BY measured DESC, d.here DESC
LIMIT 50;
