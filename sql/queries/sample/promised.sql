-- answers: how many rows of each kind do families 1 to FAMILIES of a seed have, by the rule that made them?
-- privileges: none
-- since: 15
-- cost: computes a hash for each family and child, 3 s for 500,000 families
WITH families AS (
    SELECT
        n.number,
        uuid_hash_extended(md5(:'seed'::text || '/family/' || n.number)::uuid, 0) AS draw
    FROM generate_series(:'first'::int, :'last'::int) AS n (number)
),

named AS (
    SELECT md5(:'seed'::text || '/child/' || f.number || '/' || n.number)::uuid AS child_id
    FROM families AS f
    CROSS JOIN generate_series(1, 1 + (f.draw >> 20 & 1)::int + (f.draw >> 21 & 1)::int) AS n (number)
),

children AS (
    SELECT
        c.child_id,
        uuid_hash_extended(c.child_id, 0) AS draw
    FROM named AS c
),

days AS (
    SELECT uuid_hash_extended(c.child_id, 100 + s.slot) AS draw
    FROM children AS c
    CROSS JOIN generate_series(
        1, greatest(1, :'activity'::int / 2 - 1 + (c.draw >> 40 & 1)::int + (c.draw >> 41 & 1)::int)
    ) AS s (slot)
)

SELECT
    (SELECT count(*) FROM families) AS families,
    (SELECT sum(CASE WHEN (f.draw >> 16 & 7) < 5 THEN 2 ELSE 1 END) FROM families AS f)::bigint AS guardians,
    (SELECT count(*) FROM children) AS children,
    (SELECT sum(1 + ((d.draw >> 16 & 7) <> 0)::int) FROM days AS d)::bigint AS visits,
    (SELECT count(*) FROM days) AS speech_sessions;
