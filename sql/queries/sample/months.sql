-- answers: which month partitions between two days are missing?
-- privileges: none
-- since: 15
-- cost: a catalog look
WITH months AS (
    SELECT m.month
    FROM generate_series(
            date_trunc('month', :'since'::timestamptz AT TIME ZONE 'UTC'),
            date_trunc('month', :'until'::timestamptz AT TIME ZONE 'UTC'),
            INTERVAL '1 month'
        ) AS m (month)
),

parents AS (
    SELECT p.parent
    FROM unnest(
            ARRAY['content.engagement', 'audio.sessions', 'analytics.events', 'audit.activity_log']
        ) AS p (parent)
)

SELECT
    p.parent,
    m.month::date::text AS month
FROM months AS m
CROSS JOIN parents AS p
WHERE NOT EXISTS (
        SELECT 1
        FROM admin.partition_bounds AS b
        WHERE
            b.parent_oid = to_regclass(p.parent)
            AND b.lower_bound <= m.month AT TIME ZONE 'UTC'
            AND b.upper_bound >= (m.month + INTERVAL '1 month') AT TIME ZONE 'UTC'
    )
ORDER BY
    m.month,
    p.parent;
