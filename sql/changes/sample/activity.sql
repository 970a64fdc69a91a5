-- does: adds what the children of sample families did: visits, speech sessions, events and the days' sums
-- privileges: superuser, or BYPASSRLS and INSERT on content, audio and analytics
-- since: 15
-- cost: about 3 rows for each of ACTIVITY visits a child; the consent of each row is checked
-- Runs after households.sql in the same transaction, and uses the children that it listed.
-- A child is active a few times between joining and the end of the world; each time it visits up to two items, has
-- one speech session, and leaves an event. Retention was kept in this world: each of the three falls into the time
-- for which its policy keeps it, less a part of it, so that nothing is overdue on the day after.
CREATE TEMPORARY TABLE sample_kept ON COMMIT DROP AS
SELECT
    p.policy_code,
    (:'until'::timestamptz - p.retention_period + least(p.retention_period / 3, INTERVAL '2 months'))::date AS since
FROM audit.data_retention_policies AS p
WHERE
    p.is_active
    AND p.retention_period IS NOT NULL;

CREATE TEMPORARY TABLE sample_days ON COMMIT DROP AS
WITH days AS (
    SELECT
        c.child_id,
        c.family_id,
        c.user_id,
        c.timezone,
        c.birth_date,
        (c.joined_at AT TIME ZONE 'UTC')::date AS joined_on,
        s.slot,
        uuid_hash_extended(c.child_id, 100 + s.slot) AS draw
    FROM pg_temp.sample_children AS c
    -- One more or one less than half the visits, so that children differ.
    CROSS JOIN generate_series(
        1, greatest(1, :'activity'::int / 2 - 1 + (c.draw >> 40 & 1)::int + (c.draw >> 41 & 1)::int)
    ) AS s (slot)
)

SELECT
    d.child_id,
    d.family_id,
    d.user_id,
    d.timezone,
    d.birth_date,
    d.slot,
    d.draw,
    f.visit + floor((d.draw & 65535) / 65536.0 * (:'until'::date - f.visit))::int AS visit_on,
    f.talk + floor((d.draw & 65535) / 65536.0 * (:'until'::date - f.talk))::int AS talk_on,
    f.event + floor((d.draw & 65535) / 65536.0 * (:'until'::date - f.event))::int AS event_on
FROM days AS d
CROSS JOIN LATERAL (
    SELECT
        greatest(d.joined_on + 1, max(k.since) FILTER (WHERE k.policy_code = 'content.engagement')) AS visit,
        greatest(d.joined_on + 1, max(k.since) FILTER (WHERE k.policy_code = 'audio.sessions')) AS talk,
        greatest(d.joined_on + 1, max(k.since) FILTER (WHERE k.policy_code = 'analytics.events')) AS event
    FROM pg_temp.sample_kept AS k
) AS f;

-- The best forty items of each year of age; where a year has none, those of the nearest year below it.
CREATE TEMPORARY TABLE sample_library ON COMMIT DROP AS
WITH ranked AS (
    SELECT
        b.age_year,
        b.item_id,
        row_number() OVER (
            PARTITION BY b.age_year
            ORDER BY b.language ASC, b.rank_score DESC, b.item_id ASC
        ) AS place
    FROM content.item_age_bands AS b
),

stocked AS (
    SELECT
        r.age_year,
        array_agg(r.item_id ORDER BY r.place) AS items
    FROM ranked AS r
    WHERE r.place <= 40
    GROUP BY r.age_year
),

nearest AS (
    SELECT
        y.age_year,
        coalesce(max(s.age_year) FILTER (WHERE s.age_year <= y.age_year), min(s.age_year)) AS stocked_year
    FROM generate_series(0, 18) AS y (age_year)
    CROSS JOIN stocked AS s
    GROUP BY y.age_year
)

SELECT
    n.age_year,
    s.items
FROM nearest AS n
INNER JOIN stocked AS s ON s.age_year = n.stocked_year;

CREATE TEMPORARY TABLE sample_visits ON COMMIT DROP AS
WITH visits AS (
    SELECT
        d.*,
        v.number,
        uuid_hash_extended(d.child_id, 1000 + 10 * d.slot + v.number) AS own_draw
    FROM pg_temp.sample_days AS d
    CROSS JOIN generate_series(1, 1 + ((d.draw >> 16 & 7) <> 0)::int) AS v (number)
)

SELECT
    md5(v.child_id || '/visit/' || v.slot || '/' || v.number)::uuid AS visit_id,
    v.child_id,
    v.timezone,
    v.birth_date,
    l.items[1 + (v.own_draw & 65535) % cardinality(l.items)] AS item_id,
    v.visit_on::timestamp AT TIME ZONE 'UTC'
    + make_interval(hours => 7, secs => (v.own_draw >> 16 & 65535) * 0.6) AS started_at,
    120 + (v.own_draw >> 32 & 1023)::int AS duration_seconds,
    (v.own_draw >> 42 & 3) <> 0 AS is_completed,
    v.own_draw AS draw
FROM visits AS v
INNER JOIN pg_temp.sample_library AS l ON l.age_year = least((v.visit_on - v.birth_date) / 366, 18);

INSERT INTO content.engagement (
    id, child_id, item_id, started_at, ended_at, duration_seconds, progress, completed, interaction_count, rating
)
SELECT
    v.visit_id AS id,
    v.child_id,
    v.item_id,
    v.started_at,
    v.started_at + make_interval(secs => v.duration_seconds) AS ended_at,
    v.duration_seconds,
    CASE WHEN v.is_completed THEN 1 ELSE (v.draw >> 44 & 127) / 128.0 END AS progress,
    v.is_completed AS completed,
    (v.draw >> 44 & 63) AS interaction_count,
    CASE WHEN (v.draw >> 50 & 7) = 0 THEN 3 + (v.draw >> 53 & 1) END AS rating
FROM pg_temp.sample_visits AS v;

CREATE TEMPORARY TABLE sample_talks ON COMMIT DROP AS
WITH talks AS (
    SELECT
        d.*,
        uuid_hash_extended(d.child_id, 10000 + d.slot) AS own_draw
    FROM pg_temp.sample_days AS d
)

SELECT
    md5(t.child_id || '/talk/' || t.slot)::uuid AS session_id,
    t.child_id,
    t.timezone,
    t.birth_date,
    t.talk_on::timestamp AT TIME ZONE 'UTC'
    + make_interval(hours => 8, secs => (t.own_draw & 65535) * 0.5) AS started_at,
    600 + (t.own_draw >> 16 & 2047)::int AS length_seconds,
    round(0.5 + (t.own_draw >> 27 & 127) / 256.0, 4) AS quality_score,
    t.own_draw AS draw
FROM talks AS t;

INSERT INTO audio.sessions (
    id, child_id, started_at, ended_at, location, device, status, quality_score, updated_at
)
SELECT
    t.session_id AS id,
    t.child_id,
    t.started_at,
    t.started_at + make_interval(secs => t.length_seconds) AS ended_at,
    (ARRAY['home', 'home', 'home', 'daycare', 'school', 'outdoors', 'vehicle', 'other'])[1 + (t.draw >> 34 & 7)]
        AS location,
    'sample' AS device,
    'completed' AS status,
    t.quality_score,
    t.started_at + make_interval(secs => t.length_seconds) AS updated_at
FROM pg_temp.sample_talks AS t;

CREATE TEMPORARY TABLE sample_stretches ON COMMIT DROP AS
WITH stretches AS (
    SELECT
        t.session_id,
        t.child_id,
        t.started_at,
        w.number,
        uuid_hash_extended(t.session_id, w.number) AS draw
    FROM pg_temp.sample_talks AS t
    CROSS JOIN generate_series(1, 1 + ((t.draw >> 37 & 3) = 0)::int) AS w (number)
)

SELECT
    s.*,
    200 + (s.draw & 511)::int AS adult_word_count,
    20 + (s.draw >> 9 & 127)::int AS child_vocalization_count,
    5 + (s.draw >> 16 & 63)::int AS conversational_turns,
    (s.draw >> 22 & 127)::int AS media_seconds
FROM stretches AS s;

INSERT INTO audio.speech_metrics (
    id, session_id, session_started_at, child_id, window_start, window_seconds, adult_word_count,
    child_vocalization_count, conversational_turns, unique_word_estimate, media_seconds, language, created_at
)
SELECT
    md5(s.session_id || '/stretch/' || s.number)::uuid AS id,
    s.session_id,
    s.started_at AS session_started_at,
    s.child_id,
    s.started_at + (s.number - 1) * INTERVAL '300 seconds' AS window_start,
    300 AS window_seconds,
    s.adult_word_count,
    s.child_vocalization_count,
    s.conversational_turns,
    40 + (s.draw >> 29 & 127) AS unique_word_estimate,
    s.media_seconds,
    'en' AS language,
    s.started_at + s.number * INTERVAL '300 seconds' AS created_at
FROM pg_temp.sample_stretches AS s;

INSERT INTO analytics.events (id, occurred_at, event_name, user_id, family_id, child_id, properties)
SELECT
    md5(d.child_id || '/event/' || d.slot)::uuid AS id,
    d.event_on::timestamp AT TIME ZONE 'UTC' + make_interval(hours => 7, secs => (d.draw >> 20 & 4095)) AS occurred_at,
    (ARRAY['app.opened', 'profile.viewed', 'library.searched', 'report.viewed'])[1 + (d.draw >> 32 & 3)] AS event_name,
    d.user_id,
    d.family_id,
    d.child_id,
    jsonb_build_object('screen', 'home', 'seconds', d.draw >> 34 & 255) AS properties
FROM pg_temp.sample_days AS d;

-- The same sums that analytics.calculate_daily_metrics makes, on the family's own days.
INSERT INTO analytics.daily_child_metrics (
    child_id, metric_date, age_months, screen_seconds, items_started, items_completed, distinct_items,
    interaction_count, audio_sessions, audio_seconds, adult_word_count, child_vocalization_count,
    conversational_turns, media_seconds, mean_quality_score, calculated_at
)
WITH measured AS (
    SELECT
        s.session_id,
        sum(s.adult_word_count) AS adult_word_count,
        sum(s.child_vocalization_count) AS child_vocalization_count,
        sum(s.conversational_turns) AS conversational_turns,
        sum(s.media_seconds) AS media_seconds
    FROM pg_temp.sample_stretches AS s
    GROUP BY s.session_id
),

activity AS (
    SELECT
        v.child_id,
        (v.started_at AT TIME ZONE v.timezone)::date AS metric_date,
        v.birth_date,
        v.duration_seconds AS screen_seconds,
        v.item_id,
        v.is_completed,
        (v.draw >> 44 & 63) AS interactions,
        NULL::int AS length_seconds,
        NULL::bigint AS adult_word_count,
        NULL::bigint AS child_vocalization_count,
        NULL::bigint AS conversational_turns,
        NULL::bigint AS media_seconds,
        NULL::numeric AS quality_score
    FROM pg_temp.sample_visits AS v
    UNION ALL
    SELECT
        t.child_id,
        (t.started_at AT TIME ZONE t.timezone)::date AS metric_date,
        t.birth_date,
        NULL AS screen_seconds,
        NULL AS item_id,
        NULL AS is_completed,
        NULL AS interactions,
        t.length_seconds,
        m.adult_word_count,
        m.child_vocalization_count,
        m.conversational_turns,
        m.media_seconds,
        t.quality_score
    FROM pg_temp.sample_talks AS t
    INNER JOIN measured AS m ON m.session_id = t.session_id
)

SELECT
    a.child_id,
    a.metric_date,
    content.age_in_months(min(a.birth_date), a.metric_date) AS age_months,
    coalesce(sum(a.screen_seconds), 0) AS screen_seconds,
    count(a.item_id) AS items_started,
    count(*) FILTER (WHERE a.is_completed) AS items_completed,
    count(DISTINCT a.item_id) AS distinct_items,
    coalesce(sum(a.interactions), 0) AS interaction_count,
    count(a.length_seconds) AS audio_sessions,
    coalesce(sum(a.length_seconds), 0) AS audio_seconds,
    coalesce(sum(a.adult_word_count), 0) AS adult_word_count,
    coalesce(sum(a.child_vocalization_count), 0) AS child_vocalization_count,
    coalesce(sum(a.conversational_turns), 0) AS conversational_turns,
    coalesce(sum(a.media_seconds), 0) AS media_seconds,
    round(avg(a.quality_score), 4) AS mean_quality_score,
    (a.metric_date + 1)::timestamp AT TIME ZONE 'UTC' AS calculated_at
FROM activity AS a
GROUP BY
    a.child_id,
    a.metric_date;
