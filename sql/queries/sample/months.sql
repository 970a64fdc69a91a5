-- answers: which month partitions between two days are missing?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    t.parent,
    m.month::date::text AS month
FROM (
    VALUES ('content.engagement'), ('audio.sessions'), ('analytics.events'), ('audit.activity_log')
) AS t (parent)
CROSS JOIN pg_catalog.generate_series(
    pg_catalog.date_trunc('month', :'since'::timestamptz AT TIME ZONE 'UTC'),
    pg_catalog.date_trunc('month', :'until'::timestamptz AT TIME ZONE 'UTC'),
    INTERVAL '1 month'
) AS m (month)
WHERE NOT EXISTS (
    SELECT 1
    FROM admin.partition_bounds AS b
    WHERE b.parent_oid = pg_catalog.to_regclass(t.parent)
        AND b.lower_bound <= m.month AT TIME ZONE 'UTC'
        AND b.upper_bound >= (m.month + INTERVAL '1 month') AT TIME ZONE 'UTC'
)
ORDER BY
    m.month,
    t.parent;
