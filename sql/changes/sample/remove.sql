-- does: removes sample families FIRST to LAST of a seed with everything that was added for them
-- privileges: superuser, or BYPASSRLS and DELETE on the application's schemas
-- since: 15
-- cost: touches the families' rows by index only; each audited row leaves a row in the trail
-- Run it in one transaction. The trail of the loading and of this removal stays; made-up history goes.
CREATE TEMPORARY TABLE gone_families ON COMMIT DROP AS
SELECT f.id AS family_id
FROM generate_series(:'first'::int, :'last'::int) AS n (number)
INNER JOIN family.families AS f ON f.id = md5(:'seed'::text || '/family/' || n.number)::uuid
WHERE f.is_sample;
ANALYZE pg_temp.gone_families;

CREATE TEMPORARY TABLE gone_users ON COMMIT DROP AS
SELECT u.id AS user_id
FROM generate_series(:'first'::int, :'last'::int) AS n (number)
CROSS JOIN generate_series(1, 2) AS g (number)
INNER JOIN core.users AS u ON u.id = md5(:'seed'::text || '/guardian/' || n.number || '/' || g.number)::uuid
WHERE u.is_sample;
ANALYZE pg_temp.gone_users;

CREATE TEMPORARY TABLE gone_children ON COMMIT DROP AS
SELECT c.id AS child_id
FROM pg_temp.gone_families AS f
INNER JOIN family.child_profiles AS c ON c.family_id = f.family_id;
ANALYZE pg_temp.gone_children;

-- What grows is removed in sets first, so that the foreign keys find nothing more to do one by one.
DELETE FROM analytics.daily_child_metrics AS m
WHERE m.child_id IN (SELECT c.child_id FROM pg_temp.gone_children AS c);
DELETE FROM analytics.events AS e
WHERE e.child_id IN (SELECT c.child_id FROM pg_temp.gone_children AS c);
DELETE FROM audio.speech_metrics AS m
WHERE m.child_id IN (SELECT c.child_id FROM pg_temp.gone_children AS c);
DELETE FROM audio.sessions AS s
WHERE s.child_id IN (SELECT c.child_id FROM pg_temp.gone_children AS c);
DELETE FROM content.engagement AS e
WHERE e.child_id IN (SELECT c.child_id FROM pg_temp.gone_children AS c);
DELETE FROM subscription.payments AS p
WHERE p.family_id IN (SELECT f.family_id FROM pg_temp.gone_families AS f);
DELETE FROM subscription.invoices AS i
WHERE i.family_id IN (SELECT f.family_id FROM pg_temp.gone_families AS f);
DELETE FROM audit.activity_log AS l
WHERE
    l.family_id IN (SELECT f.family_id FROM pg_temp.gone_families AS f)
    AND l.user_agent = 'wnadmin sample world';
DELETE FROM family.families AS f
WHERE f.id IN (SELECT g.family_id FROM pg_temp.gone_families AS g);
DELETE FROM core.users AS u
WHERE u.id IN (SELECT g.user_id FROM pg_temp.gone_users AS g);
