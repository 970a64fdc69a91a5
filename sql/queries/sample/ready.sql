-- answers: can a sample world be loaded here: is the database set up, and may this login do it?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    COALESCE(
        (
            SELECT pg_catalog.string_agg(o.name, ', ' ORDER BY o.name)
            FROM (
                VALUES
                ('core.users'), ('core.user_devices'), ('core.user_preferences'), ('family.families'),
                ('family.child_profiles'), ('family.guardian_consents'), ('safety.parental_controls'),
                ('content.item_age_bands'), ('content.engagement'), ('audio.sessions'), ('audio.speech_metrics'),
                ('analytics.events'), ('analytics.daily_child_metrics'), ('subscription.plans'),
                ('subscription.payments'), ('audit.activity_log'), ('admin.partition_bounds')
            ) AS o (name)
            WHERE pg_catalog.to_regclass(o.name) IS NULL
        ),
        ''
    ) AS missing,
    pg_catalog.to_regprocedure('admin.create_monthly_partition(text, date)') IS NULL AS no_partitions,
    COALESCE(r.rolsuper OR r.rolbypassrls, FALSE) AS sees_all_rows
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.rolname = current_user;
