-- does: adds sample families FIRST to LAST with members, children, consents and parental controls
-- privileges: superuser, or BYPASSRLS and INSERT on family and safety
-- since: 15
-- cost: about 24 rows a family, half of them written by the audit trigger
-- Runs after accounts.sql in the same transaction, and uses the guardians that it listed.
INSERT INTO family.families (id, name, created_by, timezone, is_sample, created_at, updated_at)
SELECT
    md5(:'seed'::text || '/family/' || g.family_number)::uuid AS id,
    'Sample family ' || g.family_number AS name,
    g.user_id AS created_by,
    (ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo'])[1 + (g.draw >> 24 & 3)] AS timezone,
    true AS is_sample,
    g.joined_at AS created_at,
    g.joined_at AS updated_at
FROM pg_temp.sample_guardians AS g
WHERE g.guardian_number = 1;

INSERT INTO family.family_members (family_id, user_id, role, can_consent, joined_at, updated_at)
SELECT
    md5(:'seed'::text || '/family/' || g.family_number)::uuid AS family_id,
    g.user_id,
    'guardian' AS role,
    true AS can_consent,
    g.joined_at,
    g.joined_at AS updated_at
FROM pg_temp.sample_guardians AS g;

-- One to three children, two on average.
CREATE TEMPORARY TABLE sample_children ON COMMIT DROP AS
WITH children AS (
    SELECT
        g.family_number,
        g.user_id,
        g.draw AS family_draw,
        g.joined_at,
        n.number AS child_number,
        md5(:'seed'::text || '/child/' || g.family_number || '/' || n.number)::uuid AS child_id
    FROM pg_temp.sample_guardians AS g
    CROSS JOIN generate_series(1, 1 + (g.draw >> 20 & 1)::int + (g.draw >> 21 & 1)::int) AS n (number)
    WHERE g.guardian_number = 1
)

SELECT
    c.child_id,
    md5(:'seed'::text || '/family/' || c.family_number)::uuid AS family_id,
    c.user_id,
    c.family_number,
    c.child_number,
    (ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo'])[1 + (c.family_draw >> 24 & 3)] AS timezone,
    uuid_hash_extended(c.child_id, 0) AS draw,
    c.joined_at + c.child_number * INTERVAL '2 minutes' AS joined_at,
    -- Two months to six and a half years old when the family joins.
    (c.joined_at AT TIME ZONE 'UTC')::date - 60 - (uuid_hash_extended(c.child_id, 0) & 65535)::int % 2314 AS birth_date
FROM children AS c;
ANALYZE pg_temp.sample_children;

INSERT INTO family.child_profiles (
    id, family_id, first_name, birth_date, gender, primary_language, interests, is_sample, created_at, updated_at
)
SELECT
    c.child_id AS id,
    c.family_id,
    'Child ' || c.child_number AS first_name,
    c.birth_date,
    (ARRAY['female', 'male', 'other', 'undisclosed'])[
        CASE WHEN (c.draw >> 16 & 31) < 30 THEN 1 + (c.draw >> 16 & 1) ELSE 3 + (c.draw >> 16 & 1) END
    ] AS gender,
    (ARRAY['en', 'en', 'en', 'es'])[1 + (c.draw >> 21 & 3)] AS primary_language,
    ARRAY[
        (ARRAY['animals', 'music', 'stories', 'nature'])[1 + (c.draw >> 23 & 3)],
        (ARRAY['art', 'numbers', 'science', 'movement'])[1 + (c.draw >> 25 & 3)]
    ] AS interests,
    true AS is_sample,
    c.joined_at AS created_at,
    c.joined_at AS updated_at
FROM pg_temp.sample_children AS c;

-- Verifiable methods only, so that what follows is accepted however strict the database is.
INSERT INTO family.guardian_consents (
    id, child_id, guardian_user_id, consent_type, method, policy_version, evidence_ref, granted_at, recorded_by,
    withdrawn_at, withdrawn_by, withdrawal_reason
)
WITH consents AS (
    SELECT
        c.*,
        t.consent_type,
        t.consent_type = 'research' AND (c.draw >> 34 & 1) = 1 AS is_withdrawn
    FROM pg_temp.sample_children AS c
    CROSS JOIN unnest(ARRAY['data_collection', 'audio_analysis', 'personalization', 'research']) AS t (consent_type)
    WHERE CASE t.consent_type
            WHEN 'personalization' THEN (c.draw >> 29 & 3) <> 0
            WHEN 'research' THEN (c.draw >> 31 & 7) = 0
            ELSE true
        END
)

SELECT
    md5(c.child_id || '/consent/' || c.consent_type)::uuid AS id,
    c.child_id,
    c.user_id AS guardian_user_id,
    c.consent_type,
    (ARRAY['credit_card', 'knowledge_based', 'signed_form', 'video_call'])[1 + (c.draw >> 27 & 3)] AS method,
    'sample' AS policy_version,
    'sample' AS evidence_ref,
    c.joined_at AS granted_at,
    'wondernest_app' AS recorded_by,
    CASE WHEN c.is_withdrawn THEN c.joined_at + INTERVAL '30 days' END AS withdrawn_at,
    CASE WHEN c.is_withdrawn THEN c.user_id END AS withdrawn_by,
    CASE WHEN c.is_withdrawn THEN 'guardian_request' END AS withdrawal_reason
FROM consents AS c;

INSERT INTO safety.parental_controls (
    child_id, daily_screen_minutes, bedtime_start, bedtime_end, max_safety_level, updated_by, created_at, updated_at
)
SELECT
    c.child_id,
    30 + 15 * (c.draw >> 36 & 7) AS daily_screen_minutes,
    '19:00'::time + (c.draw >> 39 & 3) * INTERVAL '30 minutes' AS bedtime_start,
    '07:00'::time AS bedtime_end,
    5 AS max_safety_level,
    c.user_id AS updated_by,
    c.joined_at AS created_at,
    c.joined_at AS updated_at
FROM pg_temp.sample_children AS c
WHERE (c.draw >> 35 & 1) = 1;
