-- does: adds the guardians of sample families FIRST to LAST with their preferences and devices
-- privileges: superuser, or BYPASSRLS and INSERT on core
-- since: 15
-- cost: about 10 rows a family, half of them written by the audit trigger
-- Everything comes from the seed, the number of the family and the two days, so a second run makes the same rows.
-- Nobody can sign in: no password has the hash '!'.
CREATE TEMPORARY TABLE sample_guardians ON COMMIT DROP AS
WITH families AS (
    SELECT
        n.number,
        uuid_hash_extended(md5(:'seed'::text || '/family/' || n.number)::uuid, 0) AS draw
    FROM generate_series(:'first'::int, :'last'::int) AS n (number)
),

joined AS (
    -- In the first three quarters of the world, so that each has some history.
    SELECT
        f.number,
        f.draw,
        :'until'::timestamptz - :'since'::timestamptz AS span,
        (f.draw & 65535) / 65536.0 * 0.75 AS share
    FROM families AS f
)

SELECT
    j.number AS family_number,
    g.number AS guardian_number,
    md5(:'seed'::text || '/guardian/' || j.number || '/' || g.number)::uuid AS user_id,
    j.draw,
    date_trunc('second', :'since'::timestamptz + j.span * j.share)
    + (g.number - 1) * make_interval(mins => (j.draw >> 48 & 1023)::int) AS joined_at
FROM joined AS j
-- Five families in eight have two guardians.
CROSS JOIN generate_series(1, CASE WHEN (j.draw >> 16 & 7) < 5 THEN 2 ELSE 1 END) AS g (number);

INSERT INTO core.users (
    id, email, email_verified_at, password_hash, first_name, last_name, auth_provider, external_id, timezone,
    last_login_at, is_sample, created_at, updated_at
)
WITH drawn AS (
    SELECT
        g.*,
        uuid_hash_extended(g.user_id, 0) AS own_draw
    FROM pg_temp.sample_guardians AS g
),

accounts AS (
    SELECT
        d.*,
        (ARRAY['email', 'email', 'email', 'email', 'email', 'email', 'google', 'apple'])[1 + (d.own_draw >> 16 & 7)]
            AS provider
    FROM drawn AS d
)

SELECT
    a.user_id AS id,
    'guardian-' || :'seed'::text || '-' || a.family_number || '-' || a.guardian_number || '@example.com' AS email,
    a.joined_at + INTERVAL '5 minutes' AS email_verified_at,
    CASE WHEN a.provider = 'email' THEN '!' END AS password_hash,
    'Guardian ' || a.guardian_number AS first_name,
    'Sample ' || a.family_number AS last_name,
    a.provider::core.auth_provider AS auth_provider,
    CASE WHEN a.provider <> 'email' THEN 'sample-' || a.user_id END AS external_id,
    (ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo'])[1 + (a.draw >> 24 & 3)] AS timezone,
    greatest(a.joined_at, :'until'::timestamptz - make_interval(hours => (a.own_draw & 2047)::int)) AS last_login_at,
    true AS is_sample,
    a.joined_at AS created_at,
    a.joined_at AS updated_at
FROM accounts AS a;

INSERT INTO core.user_preferences (user_id, weekly_summary, created_at, updated_at)
SELECT
    g.user_id,
    (uuid_hash_extended(g.user_id, 1) & 3) <> 0 AS weekly_summary,
    g.joined_at AS created_at,
    g.joined_at AS updated_at
FROM pg_temp.sample_guardians AS g;

INSERT INTO core.user_devices (
    id, user_id, device_identifier, platform, display_name, app_version, last_seen_at, created_at, updated_at
)
SELECT
    md5(g.user_id || '/device')::uuid AS id,
    g.user_id,
    md5(g.user_id || '/identifier') AS device_identifier,
    (ARRAY['ios', 'android', 'android', 'web'])[1 + (uuid_hash_extended(g.user_id, 2) & 3)] AS platform,
    'Device of guardian ' || g.guardian_number AS display_name,
    '3.' || (uuid_hash_extended(g.user_id, 2) >> 8 & 15) AS app_version,
    greatest(
        g.joined_at + INTERVAL '10 minutes',
        :'until'::timestamptz - make_interval(days => 1 + (uuid_hash_extended(g.user_id, 2) >> 16 & 63)::int)
    ) AS last_seen_at,
    g.joined_at AS created_at,
    g.joined_at AS updated_at
FROM pg_temp.sample_guardians AS g;
