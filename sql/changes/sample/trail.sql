-- does: adds the audit rows that the application would have left over the years of the sample families
-- privileges: superuser, or BYPASSRLS and INSERT on audit.activity_log
-- since: 15
-- cost: about 5 rows a family
-- Runs after households.sql in the same transaction, and uses the children that it listed. That the rows are made up
-- is in their user_agent; what this load itself changes is recorded by the audit trigger beside them.
INSERT INTO audit.activity_log (
    id, "timestamp", action, table_schema, table_name, row_id, user_id, child_id, family_id, session_role, user_agent,
    changed, retention_until
)
WITH entries AS (
    SELECT
        md5(:'seed'::text || '/family/' || g.family_number)::uuid AS row_id,
        0 AS number,
        g.joined_at AS happened_at,
        'INSERT' AS action,
        'families' AS table_name,
        g.user_id,
        NULL::uuid AS child_id,
        md5(:'seed'::text || '/family/' || g.family_number)::uuid AS family_id,
        jsonb_build_object('name', 'Sample family ' || g.family_number) AS changed
    FROM pg_temp.sample_guardians AS g
    WHERE g.guardian_number = 1
    UNION ALL
    SELECT
        c.child_id AS row_id,
        0 AS number,
        c.joined_at AS happened_at,
        'INSERT' AS action,
        'child_profiles' AS table_name,
        c.user_id,
        c.child_id,
        c.family_id,
        jsonb_build_object('first_name', 'Child ' || c.child_number) AS changed
    FROM pg_temp.sample_children AS c
    UNION ALL
    SELECT
        c.child_id AS row_id,
        n.number,
        c.joined_at
        + (:'until'::timestamptz - c.joined_at) * ((uuid_hash_extended(c.child_id, n.number) & 65535) / 65536.0)
            AS happened_at,
        'UPDATE' AS action,
        'child_profiles' AS table_name,
        c.user_id,
        c.child_id,
        c.family_id,
        jsonb_build_object('interests', '[["stories"], ["music"]]'::jsonb) AS changed
    FROM pg_temp.sample_children AS c
    CROSS JOIN generate_series(1, (c.draw >> 43 & 1)::int + (c.draw >> 44 & 1)::int) AS n (number)
),

policy AS (
    SELECT max(p.retention_period) AS retention_period
    FROM audit.data_retention_policies AS p
    WHERE
        p.policy_code = 'audit.activity_log'
        AND p.is_active
)

SELECT
    md5(e.row_id || '/trail/' || e.number)::uuid AS id,
    e.happened_at AS "timestamp",
    e.action,
    'family' AS table_schema,
    e.table_name,
    e.row_id,
    e.user_id,
    e.child_id,
    e.family_id,
    'wondernest_app' AS session_role,
    'wnadmin sample world' AS user_agent,
    e.changed,
    e.happened_at + p.retention_period AS retention_until
FROM entries AS e
CROSS JOIN policy AS p
-- What is past its time by the end of the world is gone from it.
WHERE p.retention_period IS NULL OR e.happened_at + p.retention_period > :'until'::timestamptz;
