-- answers: what is to be typed so that the rows that are past the time of a retention policy go?
-- privileges: SELECT on audit.data_retention_policies, as wondernest_operator has it; the statements need more
-- personal: no
-- since: 15
-- cost: a catalog look
-- Gives the statements and runs none. Rows that are on hold, or belong to somebody who is, are left out of them.
WITH policy AS (
    SELECT
        p.policy_code,
        p.action,
        p.time_column,
        p.retention_period,
        c.oid AS table_oid,
        c.relkind,
        pg_catalog.format('%I.%I', p.table_schema, p.table_name) AS table_name
    FROM audit.data_retention_policies AS p
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.nspname = p.table_schema
    INNER JOIN pg_catalog.pg_class AS c
        ON c.relnamespace = n.oid
        AND c.relname = p.table_name
    WHERE p.policy_code = :'policy'::text
        AND p.time_column IS NOT NULL
        AND p.retention_period IS NOT NULL
),

columns AS (
    SELECT
        count(*) FILTER (WHERE a.attname = 'retention_until') > 0 AS has_until,
        count(*) FILTER (WHERE a.attname = 'legal_hold') > 0 AS has_hold,
        count(*) FILTER (WHERE a.attname = 'child_id') > 0 AS has_child,
        count(*) FILTER (WHERE a.attname = 'family_id') > 0 AS has_family,
        count(*) FILTER (WHERE a.attname = 'user_id') > 0 AS has_user
    FROM policy AS p
    INNER JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = p.table_oid
    WHERE a.attnum > 0
        AND NOT a.attisdropped
),

due AS (
    SELECT
        p.*,
        pg_catalog.concat_ws(
            ' AND ',
            CASE
                WHEN c.has_until
                    THEN pg_catalog.format(
                            '(t.retention_until < now() OR (t.retention_until IS NULL AND t.%I < now() - INTERVAL %L))',
                            p.time_column,
                            p.retention_period::text
                        )
                ELSE pg_catalog.format('t.%I < now() - INTERVAL %L', p.time_column, p.retention_period::text)
            END,
            CASE WHEN c.has_hold THEN 'NOT t.legal_hold' END,
            CASE
                WHEN c.has_child
                    THEN 'NOT EXISTS (SELECT FROM family.child_profiles AS x WHERE x.id = t.child_id AND x.legal_hold)'
            END,
            CASE
                WHEN c.has_family
                    THEN 'NOT EXISTS (SELECT FROM family.families AS x WHERE x.id = t.family_id AND x.legal_hold)'
            END,
            CASE
                WHEN c.has_user
                    THEN 'NOT EXISTS (SELECT FROM core.users AS x WHERE x.id = t.user_id AND x.legal_hold)'
            END
        ) AS condition
    FROM policy AS p
    CROSS JOIN columns AS c
),

-- What the routines of the database do is theirs: they archive first, or know of more than one table.
routines (policy_code, statement) AS (
    VALUES
    ('core.sessions', 'SELECT core.cleanup_expired_sessions();'),
    ('core.user_tokens', 'SELECT core.cleanup_expired_sessions();'),
    ('family.invitations', 'SELECT core.cleanup_expired_sessions();'),
    ('audio.sessions', 'SELECT audio.archive_old_sessions(90, 10000);'),
    ('audio.speech_metrics', 'SELECT audio.archive_old_sessions(90, 10000);'),
    ('audit.activity_log', 'SELECT audit.purge_expired_activity(50000);')
),

months AS (
    SELECT
        pg_catalog.format(
            'ALTER TABLE %s DETACH PARTITION %I.%I CONCURRENTLY;', d.table_name, b.partition_schema, b.partition_name
        ) AS statement,
        b.upper_bound
    FROM due AS d
    INNER JOIN admin.partition_bounds AS b
        ON b.parent_oid = d.table_oid
    WHERE d.action = 'detach_partition'
        AND b.upper_bound <= pg_catalog.now() - d.retention_period
)

SELECT
    r.statement,
    'repeat it until it returns 0' AS remark,
    NULL::timestamptz AS until
FROM due AS d
INNER JOIN routines AS r
    ON r.policy_code = d.policy_code
UNION ALL
SELECT
    m.statement,
    'after a look that nothing in it is on hold' AS remark,
    m.upper_bound AS until
FROM months AS m
UNION ALL
SELECT
    CASE
        WHEN d.relkind = 'r'
            THEN pg_catalog.format(
                    'DELETE FROM %s WHERE ctid IN (SELECT t.ctid FROM %s AS t WHERE %s LIMIT 10000);',
                    d.table_name,
                    d.table_name,
                    d.condition
                )
        ELSE pg_catalog.format('DELETE FROM %s AS t WHERE %s;', d.table_name, d.condition)
    END AS statement,
    'repeat it until it deletes 0' AS remark,
    NULL AS until
FROM due AS d
WHERE d.action = 'delete'
    AND NOT EXISTS (
        SELECT 1
        FROM routines AS r
        WHERE r.policy_code = d.policy_code
    )
ORDER BY
    until,
    statement;
