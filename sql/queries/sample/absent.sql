-- answers: which of the families 1 to FAMILIES of a seed are not loaded, as ranges?
-- privileges: superuser, or BYPASSRLS and SELECT on family.families
-- personal: no
-- since: 15
-- cost: one index look a family
SELECT
    min(a.number)::int AS first,
    max(a.number)::int AS last
FROM (
    SELECT
        n.number,
        n.number - row_number() OVER (ORDER BY n.number) AS island
    FROM generate_series(1, :'families'::int) AS n (number)
    LEFT JOIN family.families AS f
        ON f.id = md5(:'seed'::text || '/family/' || n.number)::uuid
    WHERE f.id IS NULL
) AS a
GROUP BY a.island
ORDER BY first;
