-- answers: What do the large objects hold, as one number that does not depend on their order?
-- privileges: superuser, or SELECT on pg_largeobject
-- since: 15
-- cost: reads every large object
-- Number, size and bytes of each are in it. Bytes that were never written and bytes that are 0 read alike, so neither
-- is, but for the size.
WITH objects AS (
    SELECT
        m.oid,
        coalesce(max(l.pageno * (current_setting('block_size')::bigint / 4) + length(l.data)), 0) AS bytes,
        coalesce(
            sum(
                hashtextextended(
                    (l.pageno * (current_setting('block_size')::bigint / 4))::text
                    || ':' || encode(rtrim(l.data, '\x00'::bytea), 'hex'),
                    0
                )
            ) FILTER (WHERE length(rtrim(l.data, '\x00'::bytea)) > 0),
            0
        ) AS content
    FROM pg_catalog.pg_largeobject_metadata AS m
    LEFT JOIN pg_catalog.pg_largeobject AS l
        ON l.loid = m.oid
    GROUP BY m.oid
)

SELECT
    count(*) AS count,
    coalesce(sum(hashtextextended(o.oid::text || ':' || o.bytes || ':' || o.content, 0)), 0)::text AS hash
FROM objects AS o;
