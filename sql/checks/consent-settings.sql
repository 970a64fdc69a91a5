-- answers: does this database demand verifiable parental consent, whoever asks?
-- title: Verifiable consent is demanded
-- area: privacy
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- privileges: none
-- since: 15
-- cost: a catalog look
WITH here AS (
    SELECT
        d.oid,
        d.datname
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
),

set_values AS (
    SELECT
        s.setdatabase,
        s.setrole,
        pg_catalog.split_part(u.entry, '=', 2) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS u (entry)
    WHERE pg_catalog.split_part(u.entry, '=', 1) = 'wondernest.require_verifiable_consent'
        AND s.setdatabase IN (
            SELECT 0::oid
            UNION ALL
            SELECT h.oid
            FROM here AS h
        )
),

fixed AS (
    SELECT
        h.datname,
        (
            SELECT v.value
            FROM set_values AS v
            WHERE v.setdatabase = h.oid
                AND v.setrole = 0
        ) AS value,
        EXISTS (
            SELECT 1
            FROM pg_catalog.pg_proc AS p
            INNER JOIN pg_catalog.pg_namespace AS n
                ON n.oid = p.pronamespace
            WHERE n.nspname = 'family'
                AND p.proname = 'verifiable_consent_required'
                AND p.pronargs = 0
        ) AS is_ours
    FROM here AS h
)

SELECT
    pg_catalog.format('database %I', f.datname) AS object,
    CASE
        WHEN NOT f.is_ours THEN NULL
        -- The words that family.verifiable_consent_required knows.
        WHEN f.value IN ('on', 'true', '1', 'yes') THEN 0
        ELSE 1
    END::numeric AS measured,
    NULL::timestamptz AS since,
    CASE
        WHEN NOT f.is_ours THEN 'this is no WonderNest database: family.verifiable_consent_required() is missing'
        WHEN f.value IN ('on', 'true', '1', 'yes') THEN 'fixed for the database; no session can switch it off'
        WHEN f.value IS NULL
            THEN 'wondernest.require_verifiable_consent is not fixed for the database: consent that nobody verified is'
                || ' enough, unless a session asks for more'
        ELSE pg_catalog.format('wondernest.require_verifiable_consent is %L for the database', f.value)
    END AS detail,
    CASE
        WHEN f.is_ours
            THEN pg_catalog.format('ALTER DATABASE %I SET wondernest.require_verifiable_consent = on', f.datname)
        ELSE 'wnadmin setup status'
    END AS fix
FROM fixed AS f
UNION ALL
SELECT
    pg_catalog.format('role %I', r.rolname),
    1,
    NULL,
    pg_catalog.format(
        'starts %s with wondernest.require_verifiable_consent = %L%s',
        CASE WHEN v.setdatabase = 0 THEN 'everywhere' ELSE 'in this database' END,
        v.value,
        CASE
            WHEN f.value IN ('on', 'true', '1', 'yes') THEN '; as long as the database has it on, that does nothing'
            ELSE ''
        END
    ),
    pg_catalog.format(
        'ALTER ROLE %I%s RESET wondernest.require_verifiable_consent',
        r.rolname,
        CASE WHEN v.setdatabase = 0 THEN '' ELSE pg_catalog.format(' IN DATABASE %I', f.datname) END
    )
FROM set_values AS v
CROSS JOIN fixed AS f
INNER JOIN pg_catalog.pg_roles AS r
    ON r.oid = v.setrole
WHERE pg_catalog.lower(v.value) IN ('off', 'of', 'false', 'f', 'no', 'n', '0', '');
