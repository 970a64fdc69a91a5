-- answers: can a sample world be loaded here: is the database set up, and may this login do it?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    -- By way of the catalog: to_regclass is an error to whoever may not use the schema.
    coalesce(
        (
            SELECT pg_catalog.string_agg(o.schema || '.' || o.name, ', ' ORDER BY o.schema, o.name)
            FROM (
                VALUES
                ('core', 'users'), ('core', 'user_devices'), ('core', 'user_preferences'), ('family', 'families'),
                ('family', 'child_profiles'), ('family', 'guardian_consents'), ('safety', 'parental_controls'),
                ('content', 'item_age_bands'), ('content', 'engagement'), ('audio', 'sessions'),
                ('audio', 'speech_metrics'), ('analytics', 'events'), ('analytics', 'daily_child_metrics'),
                ('subscription', 'plans'), ('subscription', 'payments'), ('audit', 'activity_log'),
                ('admin', 'partition_bounds')
            ) AS o (schema, name)
            WHERE NOT EXISTS (
                SELECT 1
                FROM pg_catalog.pg_class AS c
                INNER JOIN pg_catalog.pg_namespace AS n
                    ON n.oid = c.relnamespace
                WHERE n.nspname = o.schema
                    AND c.relname = o.name
            )
        ),
        ''
    ) AS missing,
    NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_proc AS p
        INNER JOIN pg_catalog.pg_namespace AS n
            ON n.oid = p.pronamespace
        WHERE n.nspname = 'admin'
            AND p.proname = 'create_monthly_partition'
    ) AS no_partitions,
    coalesce(r.rolsuper OR r.rolbypassrls, FALSE) AS sees_all_rows
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.rolname = current_user;
