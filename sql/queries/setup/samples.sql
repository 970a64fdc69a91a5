-- answers: How many accounts, families and children are there, and how many of them are samples?
-- privileges: SELECT on core.users, family.families and family.child_profiles without row-level security
-- personal: no
-- since: 15
-- cost: counts three tables
SELECT
    'users' AS what,
    count(*) FILTER (WHERE NOT u.is_sample) AS real,
    count(*) FILTER (WHERE u.is_sample) AS samples
FROM core.users AS u
UNION ALL
SELECT
    'families' AS what,
    count(*) FILTER (WHERE NOT f.is_sample) AS real,
    count(*) FILTER (WHERE f.is_sample) AS samples
FROM family.families AS f
UNION ALL
SELECT
    'children' AS what,
    count(*) FILTER (WHERE NOT c.is_sample) AS real,
    count(*) FILTER (WHERE c.is_sample) AS samples
FROM family.child_profiles AS c;
