-- answers: can a sample world be loaded here: is the database set up, and may this login do it?
-- privileges: none
-- since: 15
-- cost: a catalog look
WITH wanted AS (
    SELECT w.name
    FROM unnest(
            ARRAY[
                'core.users', 'core.user_devices', 'core.user_preferences', 'family.families', 'family.child_profiles',
                'family.guardian_consents', 'safety.parental_controls', 'content.item_age_bands', 'content.engagement',
                'audio.sessions', 'audio.speech_metrics', 'analytics.events', 'analytics.daily_child_metrics',
                'subscription.plans', 'subscription.payments', 'audit.activity_log', 'admin.partition_bounds'
            ]
        ) AS w (name)
),

relations AS (
    -- By way of the catalog: to_regclass is an error to whoever may not use the schema.
    SELECT n.nspname || '.' || c.relname AS name
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
)

SELECT
    pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
    coalesce(string_agg(w.name, ', ' ORDER BY w.name), '') AS missing,
    NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_proc AS p
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE
            n.nspname = 'admin'
            AND p.proname = 'create_monthly_partition'
    ) AS no_partitions,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_roles AS r
        WHERE
            r.rolname = current_user
            AND (r.rolsuper OR r.rolbypassrls)
    ) AS sees_all_rows
FROM wanted AS w
WHERE w.name NOT IN (SELECT r.name FROM relations AS r);
