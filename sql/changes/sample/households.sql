-- does: adds sample families FIRST to LAST with members, children, consents and parental controls
-- privileges: superuser, or BYPASSRLS and INSERT on family and safety
-- since: 15
-- cost: about 24 rows a family, half of them written by the audit trigger
-- Runs after accounts.sql in the same transaction, and uses the guardians that it listed.
INSERT INTO family.families (id, name, created_by, timezone, is_sample, created_at, updated_at)
SELECT
    md5(:'seed' || '/family/' || g.family_number)::uuid,
    'Sample family ' || g.family_number,
    g.user_id,
    (ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo'])[1 + (g.draw >> 24 & 3)],
    TRUE,
    g.joined_at,
    g.joined_at
FROM pg_temp.sample_guardians AS g
WHERE g.guardian_number = 1;

INSERT INTO family.family_members (family_id, user_id, role, can_consent, joined_at, updated_at)
SELECT
    md5(:'seed' || '/family/' || g.family_number)::uuid,
    g.user_id,
    'guardian',
    TRUE,
    g.joined_at,
    g.joined_at
FROM pg_temp.sample_guardians AS g;

-- One to three children, two on average.
CREATE TEMPORARY TABLE sample_children ON COMMIT DROP AS
SELECT
    c.child_id,
    md5(:'seed' || '/family/' || g.family_number)::uuid AS family_id,
    g.user_id,
    g.family_number,
    n.number AS child_number,
    (ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo'])[1 + (g.draw >> 24 & 3)] AS timezone,
    uuid_hash_extended(c.child_id, 0) AS draw,
    g.joined_at + n.number * INTERVAL '2 minutes' AS joined_at,
    -- Two months to six and a half years old when the family joins.
    (g.joined_at AT TIME ZONE 'UTC')::date - 60 - (uuid_hash_extended(c.child_id, 0) & 65535)::int % 2314 AS birth_date
FROM pg_temp.sample_guardians AS g
CROSS JOIN LATERAL generate_series(1, 1 + (g.draw >> 20 & 1)::int + (g.draw >> 21 & 1)::int) AS n (number)
CROSS JOIN LATERAL (
    SELECT md5(:'seed' || '/child/' || g.family_number || '/' || n.number)::uuid AS child_id
) AS c
WHERE g.guardian_number = 1;
ANALYZE pg_temp.sample_children;

INSERT INTO family.child_profiles (
    id, family_id, first_name, birth_date, gender, primary_language, interests, is_sample, created_at, updated_at
)
SELECT
    c.child_id,
    c.family_id,
    'Child ' || c.child_number,
    c.birth_date,
    (ARRAY['female', 'male', 'other', 'undisclosed'])[
        CASE WHEN (c.draw >> 16 & 31) < 30 THEN 1 + (c.draw >> 16 & 1) ELSE 3 + (c.draw >> 16 & 1) END
    ],
    (ARRAY['en', 'en', 'en', 'es'])[1 + (c.draw >> 21 & 3)],
    ARRAY[
        (ARRAY['animals', 'music', 'stories', 'nature'])[1 + (c.draw >> 23 & 3)],
        (ARRAY['art', 'numbers', 'science', 'movement'])[1 + (c.draw >> 25 & 3)]
    ],
    TRUE,
    c.joined_at,
    c.joined_at
FROM pg_temp.sample_children AS c;

-- Verifiable methods only, so that the rows below are accepted however strict the database is.
INSERT INTO family.guardian_consents (
    id, child_id, guardian_user_id, consent_type, method, policy_version, evidence_ref, granted_at, recorded_by,
    withdrawn_at, withdrawn_by, withdrawal_reason
)
SELECT
    md5(c.child_id || '/consent/' || t.consent_type)::uuid,
    c.child_id,
    c.user_id,
    t.consent_type,
    (ARRAY['credit_card', 'knowledge_based', 'signed_form', 'video_call'])[1 + (c.draw >> 27 & 3)],
    'sample',
    'sample',
    c.joined_at,
    'wondernest_app',
    CASE WHEN w.is_withdrawn THEN c.joined_at + INTERVAL '30 days' END,
    CASE WHEN w.is_withdrawn THEN c.user_id END,
    CASE WHEN w.is_withdrawn THEN 'guardian_request' END
FROM pg_temp.sample_children AS c
CROSS JOIN LATERAL (
    VALUES
    ('data_collection', TRUE),
    ('audio_analysis', TRUE),
    ('personalization', (c.draw >> 29 & 3) <> 0),
    ('research', (c.draw >> 31 & 7) = 0)
) AS t (consent_type, is_given)
CROSS JOIN LATERAL (SELECT t.consent_type = 'research' AND (c.draw >> 34 & 1) = 1 AS is_withdrawn) AS w
WHERE t.is_given;

INSERT INTO safety.parental_controls (
    child_id, daily_screen_minutes, bedtime_start, bedtime_end, max_safety_level, updated_by, created_at, updated_at
)
SELECT
    c.child_id,
    30 + 15 * (c.draw >> 36 & 7),
    TIME '19:00' + (c.draw >> 39 & 3) * INTERVAL '30 minutes',
    TIME '07:00',
    5,
    c.user_id,
    c.joined_at,
    c.joined_at
FROM pg_temp.sample_children AS c
WHERE (c.draw >> 35 & 1) = 1;
