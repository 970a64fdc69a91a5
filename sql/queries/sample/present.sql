-- answers: is there a real user, and is the reference data there that a sample world needs?
-- privileges: superuser, or BYPASSRLS and SELECT on core, subscription and content
-- personal: no
-- since: 15
-- cost: reads core.users until the first real user
SELECT
    EXISTS (
        SELECT 1
        FROM core.users AS u
        WHERE NOT u.is_sample
    ) AS has_real_users,
    EXISTS (
        SELECT 1
        FROM family.families AS f
        WHERE NOT f.is_sample
    ) AS has_real_families,
    (
        SELECT count(*)
        FROM subscription.plans AS p
        WHERE p.is_active
    )::int AS plans,
    EXISTS (
        SELECT 1
        FROM content.item_age_bands
    ) AS has_content;
