-- answers: which retention policies have rows that are past their time, and for how long?
-- title: Retention overdue
-- area: privacy
-- unit: days
-- warn: > 3d
-- critical: > 30d
-- needs: execute:admin.get_retention_backlog()
-- where: primary
-- preset: nightly
-- none: no active policy has a period
-- privileges: EXECUTE on admin.get_retention_backlog(), which gives totals and times and no row of a person
-- since: 15
-- cost: by index or partition for each policy; a sample of a large table that has neither
SELECT
    b.policy_code AS object,
    CASE
        WHEN b.overdue_rows = 0 THEN 0
        WHEN b.overdue_rows IS NOT NULL
            THEN pg_catalog.round(extract(EPOCH FROM pg_catalog.now() - b.oldest_due) / 86400, 1)
    END AS measured,
    CASE WHEN b.overdue_rows > 0 THEN b.oldest_due END AS since,
    CASE
        WHEN b.overdue_rows IS NULL THEN pg_catalog.format('%s: %s', b.table_name, b.detail)
        WHEN b.overdue_rows = 0 THEN pg_catalog.format('%s has no row past its %s', b.table_name, b.retention_period)
        ELSE pg_catalog.format(
                '%s%s rows of %s are past their %s, and due to %s',
                CASE WHEN b.overdue_rows >= 10000 OR b.evidence <> 'complete' THEN 'at least ' ELSE '' END,
                b.overdue_rows,
                b.table_name,
                b.retention_period,
                CASE b.action
                    WHEN 'delete' THEN 'be deleted'
                    WHEN 'archive' THEN 'be archived'
                    WHEN 'pseudonymise' THEN 'lose their names'
                    ELSE 'go with their partition'
                END
            )
    END AS detail,
    CASE
        WHEN b.overdue_rows IS NULL AND b.detail = 'the table is locked' THEN 'wnadmin locks tree'
        WHEN b.overdue_rows IS NULL
            THEN coalesce(
                    pg_catalog.substring(b.detail, 'GRANT .*|CREATE INDEX .*'),
                    'Correct this policy in audit.data_retention_policies, or end it with is_active = false'
                )
        WHEN b.policy_code = 'audit.operator_ledger' THEN 'wnadmin audit seal'
        WHEN b.action = 'detach_partition' THEN pg_catalog.format('wnadmin partitions detach --due %s', b.table_name)
        ELSE pg_catalog.format('wnadmin retention apply --only %s', b.policy_code)
    END AS fix
FROM admin.get_retention_backlog() AS b
ORDER BY
    measured DESC NULLS FIRST,
    object ASC
LIMIT 50;
