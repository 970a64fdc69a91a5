-- answers: Which retention policies are there, from when on are rows kept, and what are their tables like?
-- privileges: SELECT on audit.data_retention_policies
-- personal: no
-- since: 15
-- cost: a catalog look
-- "now" is the moment to judge by; empty for this one.
WITH policy AS (
    SELECT
        p.policy_code,
        p.table_schema,
        p.table_name,
        p.time_column,
        p.retention_period,
        p.action,
        p.is_active,
        coalesce(nullif(:'now', '')::timestamptz, pg_catalog.now()) AS judged_at
    FROM audit.data_retention_policies AS p
),

own AS (
    SELECT
        a.attrelid AS oid,
        pg_catalog.bool_or(
            a.attname = 'retention_until' AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype)
        ) AS has_until,
        pg_catalog.bool_or(a.attname = 'legal_hold' AND a.atttypid = 'boolean'::regtype) AS has_hold,
        pg_catalog.bool_or(a.attname = 'identity_erased_at' AND a.atttypid = 'timestamptz'::regtype) AS has_mark
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attname IN ('retention_until', 'legal_hold', 'identity_erased_at')
        AND a.attnum > 0
        AND NOT a.attisdropped
    GROUP BY a.attrelid
)

SELECT
    p.policy_code AS code,
    p.table_schema AS schema,
    p.table_name AS name,
    p.action,
    p.is_active,
    p.time_column,
    p.retention_period::text AS period,
    pg_catalog.ceil(extract(EPOCH FROM p.judged_at - (p.judged_at - p.retention_period)) / 86400)::int AS days,
    (p.judged_at - p.retention_period)::text AS cut,
    p.judged_at::text AS judged_at,
    pg_catalog.md5(
        pg_catalog.concat_ws(
            '|', p.table_schema, p.table_name, p.time_column, p.retention_period::text, p.action, p.is_active
        )
    ) AS fingerprint,
    coalesce(c.oid::bigint, 0) AS oid,
    coalesce(c.relkind::text, '') AS kind,
    coalesce(a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype), false) AS has_time,
    t.partrelid IS NOT NULL AS is_partition_key,
    coalesce(k.has_until, false) AS has_until,
    coalesce(k.has_hold, false) AS has_hold,
    coalesce(k.has_mark, false) AS has_mark,
    coalesce(
        pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
        AND pg_catalog.has_table_privilege(c.oid, 'DELETE'),
        false
    ) AS may_change
FROM policy AS p
LEFT JOIN pg_catalog.pg_namespace AS n
    ON n.nspname = p.table_schema
LEFT JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = n.oid
    AND c.relname = p.table_name
    AND c.relkind IN ('r', 'p')
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = c.oid
    AND a.attname = p.time_column
    AND a.attnum > 0
    AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_partitioned_table AS t
    ON t.partrelid = c.oid
    AND t.partstrat = 'r'
    AND t.partattrs[0] = a.attnum
LEFT JOIN own AS k
    ON k.oid = c.oid
ORDER BY p.policy_code;
