-- does: adds the guardians of sample families FIRST to LAST with their preferences and devices
-- privileges: superuser, or BYPASSRLS and INSERT on core
-- since: 15
-- cost: about 10 rows a family, half of them written by the audit trigger
-- Everything comes from the seed, the number of the family and the two days, so a second run makes the same rows.
-- Nobody can sign in: no password has the hash '!'.
CREATE TEMPORARY TABLE sample_guardians ON COMMIT DROP AS
SELECT
    f.number AS family_number,
    g.number AS guardian_number,
    md5(:'seed' || '/guardian/' || f.number || '/' || g.number)::uuid AS user_id,
    f.draw,
    f.joined_at + (g.number - 1) * make_interval(mins => (f.draw >> 48 & 1023)::int) AS joined_at
FROM (
    SELECT
        n.number,
        d.draw,
        date_trunc('second', :'since'::timestamptz + (:'until'::timestamptz - :'since'::timestamptz)
        * ((d.draw & 65535) / 65536.0 * 0.75)) AS joined_at
    FROM generate_series(:'first'::int, :'last'::int) AS n (number)
    CROSS JOIN LATERAL (
        SELECT uuid_hash_extended(md5(:'seed' || '/family/' || n.number)::uuid, 0) AS draw
    ) AS d
) AS f
-- Five families in eight have two guardians.
CROSS JOIN LATERAL generate_series(1, CASE WHEN (f.draw >> 16 & 7) < 5 THEN 2 ELSE 1 END) AS g (number);

INSERT INTO core.users (
    id, email, email_verified_at, password_hash, first_name, last_name, auth_provider, external_id, timezone,
    last_login_at, is_sample, created_at, updated_at
)
SELECT
    u.user_id,
    'guardian-' || :'seed' || '-' || u.family_number || '-' || u.guardian_number || '@example.com',
    u.joined_at + INTERVAL '5 minutes',
    CASE WHEN u.provider = 'email' THEN '!' END,
    'Guardian ' || u.guardian_number,
    'Sample ' || u.family_number,
    u.provider::core.auth_provider,
    CASE WHEN u.provider <> 'email' THEN 'sample-' || u.user_id END,
    (ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo'])[1 + (u.draw >> 24 & 3)],
    greatest(u.joined_at, :'until'::timestamptz - make_interval(hours => (u.own_draw & 2047)::int)),
    TRUE,
    u.joined_at,
    u.joined_at
FROM (
    SELECT
        g.*,
        d.own_draw,
        (ARRAY['email', 'email', 'email', 'email', 'email', 'email', 'google', 'apple'])[1 + (d.own_draw >> 16 & 7)]
        AS provider
    FROM pg_temp.sample_guardians AS g
    CROSS JOIN LATERAL (SELECT uuid_hash_extended(g.user_id, 0) AS own_draw) AS d
) AS u;

INSERT INTO core.user_preferences (user_id, weekly_summary, created_at, updated_at)
SELECT
    g.user_id,
    (uuid_hash_extended(g.user_id, 1) & 3) <> 0,
    g.joined_at,
    g.joined_at
FROM pg_temp.sample_guardians AS g;

INSERT INTO core.user_devices (
    id, user_id, device_identifier, platform, display_name, app_version, last_seen_at, created_at, updated_at
)
SELECT
    md5(g.user_id || '/device')::uuid,
    g.user_id,
    md5(g.user_id || '/identifier'),
    (ARRAY['ios', 'android', 'android', 'web'])[1 + (uuid_hash_extended(g.user_id, 2) & 3)],
    'Device of guardian ' || g.guardian_number,
    '3.' || (uuid_hash_extended(g.user_id, 2) >> 8 & 15),
    g.joined_at + INTERVAL '10 minutes',
    g.joined_at,
    g.joined_at
FROM pg_temp.sample_guardians AS g;
