-- answers: how many rows of each kind do families FIRST to LAST of a seed have in the tables?
-- privileges: superuser, or BYPASSRLS and SELECT on the application's schemas
-- personal: no
-- since: 15
-- cost: reads the partitions of visits and speech sessions
WITH families AS MATERIALIZED (
    SELECT f.id
    FROM generate_series(:'first'::int, :'last'::int) AS n (number)
    INNER JOIN family.families AS f
        ON f.id = md5(:'seed'::text || '/family/' || n.number)::uuid
    WHERE f.is_sample
),

children AS MATERIALIZED (
    SELECT c.id
    FROM families AS f
    INNER JOIN family.child_profiles AS c
        ON c.family_id = f.id
    WHERE c.is_sample
)

SELECT
    (SELECT count(*) FROM families) AS families,
    (
        SELECT count(*)
        FROM families AS f
        INNER JOIN family.family_members AS m
            ON m.family_id = f.id
        INNER JOIN core.users AS u
            ON u.id = m.user_id
        WHERE u.is_sample
    ) AS guardians,
    (SELECT count(*) FROM children) AS children,
    (
        SELECT count(*)
        FROM children AS c
        INNER JOIN content.engagement AS e
            ON e.child_id = c.id
    ) AS visits,
    (
        SELECT count(*)
        FROM children AS c
        INNER JOIN audio.sessions AS s
            ON s.child_id = c.id
    ) AS speech_sessions;
