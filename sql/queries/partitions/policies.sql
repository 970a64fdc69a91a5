-- answers: What does the retention policy of each table say?
-- privileges: SELECT on audit.data_retention_policies
-- since: 15
-- cost: reads a small table
-- personal: no
SELECT
    p.policy_code AS code,
    p.table_schema AS schema,
    p.table_name AS name,
    p.time_column,
    p.action,
    -- The first moment that is kept; what ends before is past.
    pg_catalog.now() - p.retention_period AS keeps_from,
    p.retention_period::text AS period
FROM audit.data_retention_policies AS p
WHERE p.is_active
ORDER BY
    p.table_schema,
    p.table_name;
