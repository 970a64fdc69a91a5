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
        WHEN b.overdue_rows IS NULL THEN 'wnadmin health explain retention-overdue'
        WHEN b.policy_code IN ('core.sessions', 'core.user_tokens', 'family.invitations')
            THEN 'SELECT core.cleanup_expired_sessions()'
        WHEN b.policy_code IN ('audio.sessions', 'audio.speech_metrics')
            THEN 'SELECT audio.archive_old_sessions(90, 10000), until it returns 0'
        WHEN b.policy_code = 'audit.activity_log' THEN 'SELECT audit.purge_expired_activity(), until it returns 0'
        WHEN b.action = 'detach_partition'
            THEN pg_catalog.format('ALTER TABLE %s DETACH PARTITION … CONCURRENTLY, the oldest first', b.table_name)
        ELSE 'wnadmin health explain retention-overdue'
    END AS fix
FROM admin.get_retention_backlog() AS b
ORDER BY
    measured DESC NULLS FIRST,
    object ASC
LIMIT 50;
