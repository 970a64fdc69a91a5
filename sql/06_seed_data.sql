-- 06_seed_data.sql: reference data, and sample families to try things on.
-- Run after 05_create_triggers.sql. Safe to run again. PostgreSQL 15 to 19.
--
-- Keys are made from names by md5, dates are fixed (but for when the sample
-- insights were made): the same rows everywhere. A row that exists is left as it
-- is, so that a price or text changed later stays.
-- The months of partitions move on and fixed dates do not, so samples have no
-- rows in the tables partitioned by month; `wnadmin sample load` makes those.
-- Sample families have is_sample and passwords that match nothing; they are
-- skipped when app.seed_samples is off, as in a production profile.

SET client_min_messages = warning;
SET lock_timeout = '30s';
SET statement_timeout = 0;
SET search_path = pg_catalog, pg_temp;
SET standard_conforming_strings = on;
SET check_function_bodies = on;
SET row_security = off;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET default_table_access_method = heap;
SET default_tablespace = '';

-- These files build version 001. A database that has gone further belongs to
-- its migrations: running the files again could bring old definitions back.
DO $guard$
DECLARE
    v_later text;
BEGIN
    IF to_regclass('public.flyway_schema_history') IS NOT NULL THEN
        EXECUTE $query$
            SELECT max(h.version)
            FROM public.flyway_schema_history AS h
            WHERE h.success
                AND h.version ~ '^[0-9]+([.][0-9]+)*$'
                AND string_to_array(regexp_replace(h.version, '([.]0+)+$', ''), '.')::numeric[] > ARRAY[1]::numeric[]
        $query$
        INTO v_later;
        IF v_later IS NOT NULL THEN
            RAISE EXCEPTION 'this database is at migration %, the setup files build version 001 only', v_later
                USING ERRCODE = '55000',
                    HINT = 'Apply changes as migrations (V002 and later) instead of running files 01 to 07.';
        END IF;
    END IF;
END
$guard$;

-- ---------------------------------------------------------------------------
-- Retention: the only place where durations are written
-- ---------------------------------------------------------------------------

INSERT INTO audit.data_retention_policies (
    id, policy_code, table_schema, table_name, time_column, retention_period, action, purpose, business_need,
    legal_basis, is_active
)
SELECT
    md5('wondernest/policy/' || p.policy_code)::uuid,
    p.policy_code,
    p.table_schema,
    p.table_name,
    p.time_column,
    p.retention_period,
    p.action,
    p.purpose,
    p.business_need,
    p.legal_basis,
    p.is_active
FROM (
    VALUES
    (
        'core.users', 'core', 'users', 'last_login_at', INTERVAL '24 months', 'delete',
        'Sign-in and service of parents.',
        'An unused account has no purpose; erased on approval, never by a job, hence not active.', 'contract', false
    ),
    (
        'core.user_devices', 'core', 'user_devices', 'last_seen_at', INTERVAL '24 months', 'delete',
        'Messages to the devices of a parent.', 'A device not seen for two years is not in use.', 'contract', true
    ),
    (
        'core.sessions', 'core', 'sessions', 'expires_at', INTERVAL '1 day', 'delete', 'Staying signed in.',
        'An expired session serves nothing; a day allows for clocks.', 'contract', true
    ),
    (
        'core.user_tokens', 'core', 'user_tokens', 'expires_at', INTERVAL '1 day', 'delete', 'One-time links.',
        'An expired link serves nothing.', 'contract', true
    ),
    (
        'core.user_preferences', 'core', 'user_preferences', NULL, NULL::interval, 'delete',
        'Settings of a parent.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'family.families', 'family', 'families', NULL, NULL::interval, 'delete', 'The household.',
        'Needed as long as the account exists.', 'contract', true
    ),
    (
        'family.family_members', 'family', 'family_members', NULL, NULL::interval, 'delete',
        'Who belongs to a household.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'family.invitations', 'family', 'invitations', 'expires_at', INTERVAL '30 days', 'delete',
        'Inviting a second parent.', 'A month to answer questions about an invitation.', 'contract', true
    ),
    (
        'family.child_profiles', 'family', 'child_profiles', NULL, NULL::interval, 'delete',
        'Choosing what suits a child.',
        'Needed as long as the profile exists; a guardian can delete it at any time.', 'consent', true
    ),
    (
        'family.guardian_consents', 'family', 'guardian_consents', NULL, NULL::interval, 'delete',
        'Proof of parental consent.', 'Proof is needed as long as data about the child is held.',
        'legal_obligation', true
    ),
    (
        'family.child_notes', 'family', 'child_notes', NULL, NULL::interval, 'delete', 'Notes of guardians.',
        'Needed as long as the profile exists; a guardian can delete it at any time.', 'consent', true
    ),
    (
        'content.library', 'content', 'items', NULL, NULL::interval, 'archive', 'The content library.',
        'Not about a person.', 'none', true
    ),
    (
        'content.curation_reviews', 'content', 'curation_reviews', 'reviewed_at', INTERVAL '5 years', 'delete',
        'Quality of curation.', 'A decision can be questioned as long as the item is offered; five years at most.',
        'legitimate_interest', true
    ),
    (
        'content.collections', 'content', 'collections', NULL, NULL::interval, 'delete', 'Lists of a family.',
        'Needed as long as the account exists.', 'contract', true
    ),
    (
        'content.collection_items', 'content', 'collection_items', NULL, NULL::interval, 'delete',
        'Lists of a family.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'content.engagement', 'content', 'engagement', 'started_at', INTERVAL '24 months', 'detach_partition',
        'Proposals that fit, and screen time.', 'Habits older than two years say nothing about a child today.',
        'consent', true
    ),
    (
        'audio.sessions', 'audio', 'sessions', 'started_at', INTERVAL '90 days', 'archive', 'Speech at home.',
        'Single sessions matter for a quarter; their sums are archived.', 'consent', true
    ),
    (
        'audio.speech_metrics', 'audio', 'speech_metrics', 'session_started_at', INTERVAL '90 days', 'archive',
        'Speech at home.', 'They go with their session.', 'consent', true
    ),
    (
        'audio.session_archive', 'audio', 'session_archive', 'started_at', INTERVAL '5 years', 'delete',
        'Development of speech over years.', 'From the first words to school.', 'consent', true
    ),
    (
        'subscription.plans', 'subscription', 'plans', NULL, NULL::interval, 'archive', 'The price list.',
        'Not about a person.', 'none', true
    ),
    (
        'subscription.subscriptions', 'subscription', 'subscriptions', NULL, NULL::interval, 'delete',
        'What a family subscribed to.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'subscription.invoices', 'subscription', 'invoices', 'issued_at', INTERVAL '10 years', 'delete', 'Books.',
        'Tax law, counted from the end of the year.', 'legal_obligation', true
    ),
    (
        'subscription.payments', 'subscription', 'payments', 'occurred_at', INTERVAL '10 years', 'delete', 'Books.',
        'Tax law, counted from the end of the year.', 'legal_obligation', true
    ),
    (
        'subscription.webhook_events', 'subscription', 'webhook_events', 'received_at', INTERVAL '1 year', 'delete',
        'Counting each message of a provider once.', 'Providers repeat messages for months.', 'legitimate_interest',
        true
    ),
    (
        'analytics.events', 'analytics', 'events', 'occurred_at', INTERVAL '14 months', 'detach_partition',
        'Finding what does not work.', 'A year can be compared with the one before.', 'consent', true
    ),
    (
        'analytics.daily_child_metrics', 'analytics', 'daily_child_metrics', 'metric_date', INTERVAL '5 years',
        'delete', 'The parents'' view of development.', 'From the first words to school.', 'consent', true
    ),
    (
        'analytics.insights', 'analytics', 'insights', 'created_at', INTERVAL '1 year', 'delete',
        'Remarks for parents.', 'A remark of last year is outdated.', 'consent', true
    ),
    (
        'analytics.catalogue', 'analytics', 'milestones', NULL, NULL::interval, 'archive',
        'Catalogue of milestones.', 'Not about a person.', 'none', true
    ),
    (
        'analytics.dashboards', 'analytics', 'family_dashboard_daily', NULL, NULL::interval, 'delete',
        'Dashboards.', 'Computed again at each refresh.', 'none', true
    ),
    (
        'analytics.child_milestones', 'analytics', 'child_milestones', NULL, NULL::interval, 'delete',
        'What a child reached.', 'Needed as long as the profile exists; a guardian can delete it at any time.',
        'consent', true
    ),
    (
        'analytics.reports', 'analytics', 'reports', 'generated_at', INTERVAL '1 year', 'delete',
        'Reports for parents.', 'A report can be made again.', 'contract', true
    ),
    (
        'safety.content_reports', 'safety', 'content_reports', 'created_at', INTERVAL '3 years', 'delete',
        'Complaints about content.', 'A pattern shows over years.', 'legitimate_interest', true
    ),
    (
        'safety.parental_controls', 'safety', 'parental_controls', NULL, NULL::interval, 'delete',
        'Limits set by guardians.', 'Needed as long as the profile exists; a guardian can delete it at any time.',
        'contract', true
    ),
    (
        'safety.incidents', 'safety', 'incidents', 'resolved_at', INTERVAL '3 years', 'delete',
        'Safety of children.', 'Claims can be raised for three years.', 'legal_obligation', true
    ),
    (
        'ml.models', 'ml', 'models', NULL, NULL::interval, 'archive', 'Which models were used.',
        'Not about a person.', 'none', true
    ),
    (
        'ml.child_features', 'ml', 'child_features', 'computed_at', INTERVAL '180 days', 'delete',
        'Input of recommendations.', 'Older figures mislead.', 'consent', true
    ),
    (
        'ml.recommendations', 'ml', 'recommendations', 'created_at', INTERVAL '90 days', 'delete',
        'Proposals to a child.', 'Older proposals are not shown again.', 'consent', true
    ),
    (
        'audit.activity_log', 'audit', 'activity_log', 'timestamp', INTERVAL '3 years', 'delete',
        'Finding misuse and mistakes.', 'Misuse is often found late; claims can be raised for three years.',
        'legal_obligation', true
    ),
    (
        'audit.rules', 'audit', 'data_retention_policies', NULL, NULL::interval, 'archive', 'Rules.',
        'Not about a person.', 'none', true
    ),
    (
        'audit.operator_ledger', 'audit', 'operator_ledger', 'ts', INTERVAL '10 years', 'archive',
        'Proof of what operators did.', 'As long as the books it explains.', 'legitimate_interest', true
    ),
    (
        'audit.backups', 'audit', 'backups', 'expires_at', INTERVAL '5 years', 'delete',
        'Proof of which copies existed and when they went.', 'As long as the requests that it answers for.',
        'legal_obligation', true
    ),
    (
        'audit.data_subject_requests', 'audit', 'data_subject_requests', 'closed_at', INTERVAL '5 years', 'delete',
        'Proof that requests were answered.', 'Authorities may ask for years afterwards.', 'legal_obligation', true
    ),
    (
        'audit.erasure_tombstones', 'audit', 'erasure_tombstones', 'recorded_at', INTERVAL '13 months', 'delete',
        'Erasing again after a restore.', 'The oldest backup is a year old; a month allows for delay.',
        'legal_obligation', true
    )
) AS p (
    policy_code, table_schema, table_name, time_column, retention_period, action, purpose, business_need, legal_basis,
    is_active
)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Plans
-- ---------------------------------------------------------------------------

INSERT INTO subscription.plans (id, code, name, description, price_cents, billing_interval, max_children, features)
SELECT
    md5('wondernest/plan/' || p.code)::uuid,
    p.code,
    p.name,
    p.description,
    p.price_cents,
    p.billing_interval,
    p.max_children,
    p.features::jsonb
FROM (
    VALUES
    (
        'free', 'Free', 'One child, the library of the day, weekly summary.', 0, 'none', 1,
        '{"library": "daily", "speech_metrics": false, "reports": false}'
    ),
    (
        'plus_monthly', 'Plus, monthly', 'Up to two children, whole library, speech metrics.', 799, 'month', 2,
        '{"library": "full", "speech_metrics": true, "reports": false}'
    ),
    (
        'plus_yearly', 'Plus, yearly', 'Up to two children, whole library, speech metrics.', 7990, 'year', 2,
        '{"library": "full", "speech_metrics": true, "reports": false}'
    ),
    (
        'family_monthly', 'Family, monthly', 'Any number of children, speech metrics, monthly reports.', 1299,
        'month', NULL, '{"library": "full", "speech_metrics": true, "reports": true}'
    ),
    (
        'family_yearly', 'Family, yearly', 'Any number of children, speech metrics, monthly reports.', 12990,
        'year', NULL, '{"library": "full", "speech_metrics": true, "reports": true}'
    )
) AS p (code, name, description, price_cents, billing_interval, max_children, features)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Library: topics, publishers, items
-- ---------------------------------------------------------------------------

INSERT INTO content.categories (id, slug, name, description, sort_order)
SELECT
    md5('wondernest/category/' || c.slug)::uuid,
    c.slug,
    c.name,
    c.description,
    c.sort_order
FROM (
    VALUES
    ('animals', 'Animals', 'Pets, farms, the wild.', 0),
    ('music', 'Music', 'Songs, rhythm, instruments.', 10),
    ('nature', 'Nature', 'Plants, weather, seasons.', 20),
    ('stories', 'Stories', 'Tales old and new.', 30),
    ('language', 'Language', 'Words, rhymes, reading.', 40),
    ('numbers', 'Numbers', 'Counting, shapes, measuring.', 50),
    ('art', 'Art', 'Drawing, colours, making things.', 60),
    ('movement', 'Movement', 'Dancing, playing outside, yoga.', 70),
    ('feelings', 'Feelings', 'Friends, courage, being sad.', 80),
    ('science', 'Science', 'How things work.', 90),
    ('world', 'The world', 'Places, people, history.', 100),
    ('vehicles', 'Vehicles', 'Trains, trucks, boats.', 160)
) AS c (slug, name, description, sort_order)
ON CONFLICT DO NOTHING;

INSERT INTO content.categories (id, slug, name, description, parent_id, sort_order)
SELECT
    md5('wondernest/category/' || c.slug)::uuid,
    c.slug,
    c.name,
    c.description,
    p.id,
    c.sort_order
FROM (
    VALUES
    ('space', 'Space', 'Planets and rockets.', 'science', 110),
    ('coding', 'Coding', 'First programs and puzzles.', 'science', 120),
    ('oceans', 'Oceans', 'Life in the sea.', 'nature', 130),
    ('bedtime', 'Bedtime', 'Quiet things for the evening.', 'stories', 140),
    ('dinosaurs', 'Dinosaurs', 'Giants of long ago.', 'animals', 150)
) AS c (slug, name, description, parent_slug, sort_order)
INNER JOIN content.categories AS p ON p.slug = c.parent_slug
ON CONFLICT DO NOTHING;

INSERT INTO content.creators (id, name, kind, is_verified)
SELECT
    md5('wondernest/creator/' || c.name)::uuid,
    c.name,
    c.kind,
    true
FROM (
    VALUES
    ('WonderNest Studio', 'in_house'),
    ('Open Stories Collective', 'organization'),
    ('Small Steps Publishing', 'organization')
) AS c (name, kind)
ON CONFLICT DO NOTHING;

-- Two items and more for every kind of content and band of age. Scores come from
-- the key, so that lists have an order and everywhere the same.
INSERT INTO content.items (
    id, title, description, content_type, creator_id, language, min_age_months, max_age_months, duration_seconds,
    source_url, learning_goals, status, safety_level, quality_score, published_at
)
WITH goals (category_slug, goal) AS (
    VALUES
    ('animals', 'curiosity'),
    ('art', 'creativity'),
    ('bedtime', 'calm'),
    ('coding', 'reasoning'),
    ('dinosaurs', 'curiosity'),
    ('feelings', 'empathy'),
    ('language', 'vocabulary'),
    ('movement', 'motor skills'),
    ('music', 'listening'),
    ('nature', 'curiosity'),
    ('numbers', 'counting'),
    ('oceans', 'curiosity'),
    ('science', 'reasoning'),
    ('space', 'curiosity'),
    ('stories', 'imagination'),
    ('vehicles', 'vocabulary'),
    ('world', 'knowledge')
),

listed (min_age_months, max_age_months, content_type, title, category_slug, duration_seconds, language) AS (
    VALUES
    (0, 11, 'video', 'Slow clouds', 'nature', 180, 'en'),
    (0, 11, 'video', 'Black, white, red', 'art', 120, 'en'),
    (0, 11, 'audio', 'Heartbeat and rain', 'bedtime', 900, 'en'),
    (0, 11, 'audio', 'Voices of the house', 'language', 300, 'en'),
    (0, 11, 'book', 'Hello, face', 'feelings', 90, 'en'),
    (0, 11, 'book', 'Soft and rough', 'nature', 90, 'en'),
    (0, 11, 'game', 'Where is my hand', 'movement', 120, 'en'),
    (0, 11, 'game', 'Tap the light', 'art', 120, 'en'),
    (0, 11, 'activity', 'Tummy time on a blanket', 'movement', 300, 'en'),
    (0, 11, 'activity', 'Peekaboo', 'feelings', 240, 'en'),
    (0, 11, 'song', 'Hush, little boat', 'music', 150, 'en'),
    (0, 11, 'song', 'Ten small toes', 'music', 120, 'en'),
    (12, 23, 'video', 'Farm in the morning', 'animals', 240, 'en'),
    (12, 23, 'video', 'Bubbles', 'science', 180, 'en'),
    (12, 23, 'audio', 'What says moo', 'animals', 240, 'en'),
    (12, 23, 'audio', 'Good night, garden', 'bedtime', 600, 'en'),
    (12, 23, 'book', 'My first words', 'language', 180, 'en'),
    (12, 23, 'book', 'Big dog, small dog', 'animals', 150, 'en'),
    (12, 23, 'game', 'Stack and fall', 'numbers', 180, 'en'),
    (12, 23, 'game', 'Find the duck', 'animals', 180, 'en'),
    (12, 23, 'activity', 'Pots and spoons band', 'music', 600, 'en'),
    (12, 23, 'activity', 'Puddle walk', 'nature', 1200, 'en'),
    (12, 23, 'song', 'Clap, stamp, turn', 'movement', 150, 'en'),
    (12, 23, 'song', 'The bus of bears', 'vehicles', 150, 'en'),
    (24, 35, 'video', 'The little digger', 'vehicles', 300, 'en'),
    (24, 35, 'video', 'Colours in the kitchen', 'art', 300, 'en'),
    (24, 35, 'audio', 'The mitten', 'stories', 420, 'en'),
    (24, 35, 'audio', 'Rain on the roof', 'bedtime', 900, 'en'),
    (24, 35, 'book', 'I can do it', 'feelings', 240, 'en'),
    (24, 35, 'book', 'One duck, two ducks', 'numbers', 240, 'en'),
    (24, 35, 'game', 'Shape post', 'numbers', 240, 'en'),
    (24, 35, 'game', 'Animal shadows', 'animals', 240, 'en'),
    (24, 35, 'activity', 'Paint with water', 'art', 900, 'en'),
    (24, 35, 'activity', 'Hide the teddy', 'language', 600, 'en'),
    (24, 35, 'song', 'Head to toe', 'movement', 150, 'en'),
    (24, 35, 'song', 'Wheels and whistles', 'vehicles', 160, 'en'),
    (36, 59, 'video', 'Why snails are slow', 'animals', 420, 'en'),
    (36, 59, 'video', 'Letters in the park', 'language', 420, 'en'),
    (36, 59, 'audio', 'The fox and the moon', 'stories', 600, 'en'),
    (36, 59, 'audio', 'Sleepy forest', 'bedtime', 1200, 'en'),
    (36, 59, 'book', 'The brave umbrella', 'feelings', 360, 'en'),
    (36, 59, 'book', 'Bridge builders', 'science', 360, 'en'),
    (36, 59, 'game', 'Count the kites', 'numbers', 300, 'en'),
    (36, 59, 'game', 'Rhyme time', 'language', 300, 'en'),
    (36, 59, 'activity', 'Leaf rubbing', 'art', 1200, 'en'),
    (36, 59, 'activity', 'Obstacle course', 'movement', 1500, 'en'),
    (36, 59, 'song', 'Seven days', 'numbers', 170, 'en'),
    (36, 59, 'song', 'Whale song', 'oceans', 180, 'en'),
    (60, 83, 'video', 'Inside a volcano', 'science', 540, 'en'),
    (60, 83, 'video', 'How bread is made', 'world', 480, 'en'),
    (60, 83, 'audio', 'The clockmaker', 'stories', 900, 'en'),
    (60, 83, 'audio', 'Star stories', 'space', 900, 'en'),
    (60, 83, 'book', 'Reading with Pip', 'language', 600, 'en'),
    (60, 83, 'book', 'Bones and fossils', 'dinosaurs', 600, 'en'),
    (60, 83, 'game', 'Market day sums', 'numbers', 420, 'en'),
    (60, 83, 'game', 'Robot steps', 'coding', 480, 'en'),
    (60, 83, 'activity', 'Grow a bean', 'nature', 1800, 'en'),
    (60, 83, 'activity', 'Shadow theatre', 'stories', 1800, 'en'),
    (60, 83, 'song', 'Round the world in a song', 'world', 180, 'en'),
    (60, 83, 'song', 'Silly tongue twisters', 'language', 150, 'en'),
    (84, 119, 'video', 'A day on the reef', 'oceans', 720, 'en'),
    (84, 119, 'video', 'Maps and compasses', 'world', 660, 'en'),
    (84, 119, 'audio', 'The island letters', 'stories', 1500, 'en'),
    (84, 119, 'audio', 'Questions about stars', 'space', 1200, 'en'),
    (84, 119, 'book', 'The secret garden club', 'feelings', 1800, 'en'),
    (84, 119, 'book', 'Numbers that hide', 'numbers', 1500, 'en'),
    (84, 119, 'game', 'Code the maze', 'coding', 900, 'en'),
    (84, 119, 'game', 'Word builders', 'language', 600, 'en'),
    (84, 119, 'activity', 'Make a paper bridge', 'science', 2400, 'en'),
    (84, 119, 'activity', 'Write a comic', 'art', 2700, 'en'),
    (84, 119, 'song', 'Canon for four', 'music', 200, 'en'),
    (84, 119, 'song', 'Rhythm machine', 'music', 190, 'en'),
    (120, 143, 'video', 'The brain, a tour', 'science', 900, 'en'),
    (120, 143, 'video', 'Rivers of the world', 'world', 900, 'en'),
    (120, 143, 'audio', 'Voyage of the Petrel', 'stories', 2400, 'en'),
    (120, 143, 'audio', 'Talking about worry', 'feelings', 1200, 'en'),
    (120, 143, 'book', 'Letters across the sea', 'stories', 3600, 'en'),
    (120, 143, 'book', 'Design a city', 'science', 3000, 'en'),
    (120, 143, 'game', 'Logic gates', 'coding', 1200, 'en'),
    (120, 143, 'game', 'Ecosystem builder', 'nature', 1200, 'en'),
    (120, 143, 'activity', 'Kitchen chemistry', 'science', 3600, 'en'),
    (120, 143, 'activity', 'Interview a neighbour', 'language', 3600, 'en'),
    (120, 143, 'song', 'Write your own verse', 'music', 240, 'en'),
    (120, 143, 'song', 'Body percussion', 'movement', 220, 'en'),
    (144, 227, 'video', 'How machines learn', 'coding', 1200, 'en'),
    (144, 227, 'video', 'Climate in numbers', 'nature', 1200, 'en'),
    (144, 227, 'audio', 'Essays for young ears', 'world', 2700, 'en'),
    (144, 227, 'audio', 'Sleep well', 'bedtime', 1800, 'en'),
    (144, 227, 'book', 'The lighthouse year', 'stories', 7200, 'en'),
    (144, 227, 'book', 'Statistics for the curious', 'numbers', 5400, 'en'),
    (144, 227, 'game', 'Build an app', 'coding', 2400, 'en'),
    (144, 227, 'game', 'Debate club', 'language', 1800, 'en'),
    (144, 227, 'activity', 'Film a short story', 'art', 5400, 'en'),
    (144, 227, 'activity', 'Volunteer for a day', 'feelings', 7200, 'en'),
    (144, 227, 'song', 'Chords and choruses', 'music', 260, 'en'),
    (144, 227, 'song', 'Songs of protest', 'world', 250, 'en'),
    (0, 23, 'song', 'Music box', 'music', 180, 'zxx'),
    (0, 35, 'audio', 'Sea at night', 'bedtime', 1800, 'zxx'),
    (24, 59, 'song', 'Drums and bells', 'music', 160, 'zxx'),
    (36, 83, 'video', 'Shapes without words', 'numbers', 300, 'zxx'),
    (84, 227, 'audio', 'Piano for homework', 'music', 2400, 'zxx'),
    (12, 35, 'song', 'Diez deditos', 'music', 120, 'es'),
    (36, 59, 'book', 'La luna y el gato', 'stories', 300, 'es'),
    (60, 119, 'audio', 'Cuentos del bosque', 'stories', 900, 'es'),
    (120, 227, 'video', 'El planeta azul', 'oceans', 900, 'es')
),

keyed AS (
    SELECT
        l.*,
        md5('wondernest/item/' || l.language || '/' || l.title)::uuid AS item_id
    FROM listed AS l
)

SELECT
    i.item_id,
    i.title,
    format('%s for %s to %s months: %s.', initcap(i.content_type), i.min_age_months, i.max_age_months, lower(c.name)),
    i.content_type,
    r.id,
    i.language,
    i.min_age_months,
    i.max_age_months,
    i.duration_seconds,
    'https://content.example.com/' || i.item_id,
    ARRAY[g.goal],
    'approved',
    CASE WHEN i.min_age_months >= 120 THEN 2 ELSE 1 END,
    0.6 + (('x' || left(replace(i.item_id::text, '-', ''), 4))::bit(16)::integer % 4000) / 10000.0,
    '2025-01-01 00:00:00+00'
FROM keyed AS i
INNER JOIN content.categories AS c ON c.slug = i.category_slug
INNER JOIN content.creators AS r
    ON r.name = CASE
        WHEN i.content_type IN ('book', 'audio') THEN 'Open Stories Collective'
        WHEN i.content_type = 'activity' THEN 'Small Steps Publishing'
        ELSE 'WonderNest Studio'
    END
INNER JOIN goals AS g ON g.category_slug = i.category_slug
ON CONFLICT DO NOTHING;

-- An item may have been taken out on purpose since: what refers to it is only
-- added where it is still there.
INSERT INTO content.item_categories (item_id, category_id, is_primary)
SELECT
    i.id AS item_id,
    c.id AS category_id,
    true AS is_primary
FROM (
    VALUES
    ('en/Slow clouds', 'nature'),
    ('en/Black, white, red', 'art'),
    ('en/Heartbeat and rain', 'bedtime'),
    ('en/Voices of the house', 'language'),
    ('en/Hello, face', 'feelings'),
    ('en/Soft and rough', 'nature'),
    ('en/Where is my hand', 'movement'),
    ('en/Tap the light', 'art'),
    ('en/Tummy time on a blanket', 'movement'),
    ('en/Peekaboo', 'feelings'),
    ('en/Hush, little boat', 'music'),
    ('en/Ten small toes', 'music'),
    ('en/Farm in the morning', 'animals'),
    ('en/Bubbles', 'science'),
    ('en/What says moo', 'animals'),
    ('en/Good night, garden', 'bedtime'),
    ('en/My first words', 'language'),
    ('en/Big dog, small dog', 'animals'),
    ('en/Stack and fall', 'numbers'),
    ('en/Find the duck', 'animals'),
    ('en/Pots and spoons band', 'music'),
    ('en/Puddle walk', 'nature'),
    ('en/Clap, stamp, turn', 'movement'),
    ('en/The bus of bears', 'vehicles'),
    ('en/The little digger', 'vehicles'),
    ('en/Colours in the kitchen', 'art'),
    ('en/The mitten', 'stories'),
    ('en/Rain on the roof', 'bedtime'),
    ('en/I can do it', 'feelings'),
    ('en/One duck, two ducks', 'numbers'),
    ('en/Shape post', 'numbers'),
    ('en/Animal shadows', 'animals'),
    ('en/Paint with water', 'art'),
    ('en/Hide the teddy', 'language'),
    ('en/Head to toe', 'movement'),
    ('en/Wheels and whistles', 'vehicles'),
    ('en/Why snails are slow', 'animals'),
    ('en/Letters in the park', 'language'),
    ('en/The fox and the moon', 'stories'),
    ('en/Sleepy forest', 'bedtime'),
    ('en/The brave umbrella', 'feelings'),
    ('en/Bridge builders', 'science'),
    ('en/Count the kites', 'numbers'),
    ('en/Rhyme time', 'language'),
    ('en/Leaf rubbing', 'art'),
    ('en/Obstacle course', 'movement'),
    ('en/Seven days', 'numbers'),
    ('en/Whale song', 'oceans'),
    ('en/Inside a volcano', 'science'),
    ('en/How bread is made', 'world'),
    ('en/The clockmaker', 'stories'),
    ('en/Star stories', 'space'),
    ('en/Reading with Pip', 'language'),
    ('en/Bones and fossils', 'dinosaurs'),
    ('en/Market day sums', 'numbers'),
    ('en/Robot steps', 'coding'),
    ('en/Grow a bean', 'nature'),
    ('en/Shadow theatre', 'stories'),
    ('en/Round the world in a song', 'world'),
    ('en/Silly tongue twisters', 'language'),
    ('en/A day on the reef', 'oceans'),
    ('en/Maps and compasses', 'world'),
    ('en/The island letters', 'stories'),
    ('en/Questions about stars', 'space'),
    ('en/The secret garden club', 'feelings'),
    ('en/Numbers that hide', 'numbers'),
    ('en/Code the maze', 'coding'),
    ('en/Word builders', 'language'),
    ('en/Make a paper bridge', 'science'),
    ('en/Write a comic', 'art'),
    ('en/Canon for four', 'music'),
    ('en/Rhythm machine', 'music'),
    ('en/The brain, a tour', 'science'),
    ('en/Rivers of the world', 'world'),
    ('en/Voyage of the Petrel', 'stories'),
    ('en/Talking about worry', 'feelings'),
    ('en/Letters across the sea', 'stories'),
    ('en/Design a city', 'science'),
    ('en/Logic gates', 'coding'),
    ('en/Ecosystem builder', 'nature'),
    ('en/Kitchen chemistry', 'science'),
    ('en/Interview a neighbour', 'language'),
    ('en/Write your own verse', 'music'),
    ('en/Body percussion', 'movement'),
    ('en/How machines learn', 'coding'),
    ('en/Climate in numbers', 'nature'),
    ('en/Essays for young ears', 'world'),
    ('en/Sleep well', 'bedtime'),
    ('en/The lighthouse year', 'stories'),
    ('en/Statistics for the curious', 'numbers'),
    ('en/Build an app', 'coding'),
    ('en/Debate club', 'language'),
    ('en/Film a short story', 'art'),
    ('en/Volunteer for a day', 'feelings'),
    ('en/Chords and choruses', 'music'),
    ('en/Songs of protest', 'world'),
    ('zxx/Music box', 'music'),
    ('zxx/Sea at night', 'bedtime'),
    ('zxx/Drums and bells', 'music'),
    ('zxx/Shapes without words', 'numbers'),
    ('zxx/Piano for homework', 'music'),
    ('es/Diez deditos', 'music'),
    ('es/La luna y el gato', 'stories'),
    ('es/Cuentos del bosque', 'stories'),
    ('es/El planeta azul', 'oceans')
) AS x (item_key, category_slug)
INNER JOIN content.items AS i ON i.id = md5('wondernest/item/' || x.item_key)::uuid
INNER JOIN content.categories AS c ON c.slug = x.category_slug
ON CONFLICT DO NOTHING;

INSERT INTO safety.content_ratings (id, item_id, scheme, rating, min_age_months, rated_at)
SELECT
    md5('wondernest/rating/' || i.id)::uuid AS rating_id,
    i.id AS item_id,
    'wondernest',
    CASE
        WHEN i.min_age_months < 36 THEN 'first years'
        WHEN i.min_age_months < 84 THEN 'kindergarten'
        WHEN i.min_age_months < 144 THEN 'school'
        ELSE 'teens'
    END,
    i.min_age_months,
    '2025-01-01 00:00:00+00'
FROM content.items AS i
WHERE i.source_url = 'https://content.example.com/' || i.id
ON CONFLICT DO NOTHING;

INSERT INTO content.collections (id, name, description, is_published)
SELECT
    md5('wondernest/collection/' || x.name)::uuid,
    x.name,
    x.description,
    true
FROM (
    VALUES
    ('Quiet evenings', 'Things to wind down with.'),
    ('Rainy days', 'Making and moving indoors.')
) AS x (name, description)
ON CONFLICT DO NOTHING;

INSERT INTO content.collection_items (collection_id, item_id, position, added_at)
SELECT
    l.id AS collection_id,
    i.id AS item_id,
    row_number() OVER (PARTITION BY l.id ORDER BY i.min_age_months, i.title),
    '2025-01-01 00:00:00+00'
FROM (
    VALUES
    ('Quiet evenings', 'bedtime'),
    ('Rainy days', 'art'),
    ('Rainy days', 'movement')
) AS x (collection_name, category_slug)
INNER JOIN content.collections AS l ON l.id = md5('wondernest/collection/' || x.collection_name)::uuid
INNER JOIN content.categories AS c ON c.slug = x.category_slug
INNER JOIN content.item_categories AS k ON k.category_id = c.id
INNER JOIN content.items AS i ON i.id = k.item_id AND i.source_url = 'https://content.example.com/' || i.id
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Milestones
-- ---------------------------------------------------------------------------

INSERT INTO analytics.milestones (id, code, domain, title, typical_min_months, typical_max_months)
SELECT
    md5('wondernest/milestone/' || m.code)::uuid,
    m.code,
    m.domain,
    m.title,
    m.typical_min_months,
    m.typical_max_months
FROM (
    VALUES
    ('motor.lifts_head', 'motor', 'Lifts the head lying on the tummy', 1, 4),
    ('motor.rolls_over', 'motor', 'Rolls over', 3, 7),
    ('motor.sits_alone', 'motor', 'Sits without help', 5, 9),
    ('motor.crawls', 'motor', 'Crawls or shuffles', 6, 12),
    ('motor.first_steps', 'motor', 'Takes first steps', 9, 18),
    ('motor.runs', 'motor', 'Runs', 16, 27),
    ('motor.jumps', 'motor', 'Jumps with both feet', 22, 36),
    ('motor.tricycle', 'motor', 'Rides a tricycle or balance bike', 30, 48),
    ('motor.hops', 'motor', 'Hops on one foot', 42, 66),
    ('motor.ties_laces', 'motor', 'Ties shoelaces', 60, 96),
    ('motor.swims', 'motor', 'Swims a length', 60, 132),
    ('motor.fluent_handwriting', 'motor', 'Writes fluently by hand', 84, 120),
    ('language.coos', 'language', 'Coos and gurgles', 1, 4),
    ('language.babbles', 'language', 'Babbles in syllables', 5, 10),
    ('language.first_word', 'language', 'Says a first word with meaning', 9, 16),
    ('language.ten_words', 'language', 'Says about ten words', 13, 20),
    ('language.two_word_phrases', 'language', 'Joins two words', 17, 27),
    ('language.asks_why', 'language', 'Asks why', 28, 48),
    ('language.tells_story', 'language', 'Tells a short story', 36, 60),
    ('language.letters', 'language', 'Knows most letters', 48, 78),
    ('language.reads_sentences', 'language', 'Reads simple sentences', 60, 90),
    ('language.reads_chapters', 'language', 'Reads chapter books alone', 84, 120),
    ('language.argues_case', 'language', 'Argues a case with reasons', 108, 168),
    ('language.writes_essay', 'language', 'Writes a text of a page with a clear line', 120, 180),
    ('social.smiles_back', 'social', 'Smiles back', 1, 3),
    ('social.stranger_shy', 'social', 'Is shy with strangers', 6, 12),
    ('social.waves', 'social', 'Waves good-bye', 8, 14),
    ('social.parallel_play', 'social', 'Plays beside other children', 15, 30),
    ('social.takes_turns', 'social', 'Takes turns with help', 28, 48),
    ('social.pretend_roles', 'social', 'Plays roles with others', 36, 60),
    ('social.follows_rules', 'social', 'Follows the rules of a game', 54, 84),
    ('social.best_friend', 'social', 'Keeps a close friendship', 72, 120),
    ('social.resolves_conflict', 'social', 'Settles a quarrel by talking', 84, 144),
    ('social.plans_with_others', 'social', 'Plans a project with others', 120, 192),
    ('cognitive.follows_object', 'cognitive', 'Follows a thing with the eyes', 1, 4),
    ('cognitive.finds_hidden', 'cognitive', 'Looks for a hidden thing', 7, 12),
    ('cognitive.simple_puzzle', 'cognitive', 'Solves a puzzle of three pieces', 18, 32),
    ('cognitive.names_colours', 'cognitive', 'Names four colours', 30, 50),
    ('cognitive.counts_ten', 'cognitive', 'Counts ten things', 40, 62),
    ('cognitive.tells_time', 'cognitive', 'Tells the time', 66, 102),
    ('cognitive.multiplies', 'cognitive', 'Multiplies small numbers', 84, 114),
    ('cognitive.plans_ahead', 'cognitive', 'Plans several steps ahead', 96, 150),
    ('cognitive.abstract_reasoning', 'cognitive', 'Reasons about what might be', 132, 192)
) AS m (code, domain, title, typical_min_months, typical_max_months)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Models
-- ---------------------------------------------------------------------------

INSERT INTO ml.models (id, name, purpose, description)
SELECT
    md5('wondernest/model/' || m.name)::uuid,
    m.name,
    m.purpose,
    m.description
FROM (
    VALUES
    ('content-ranker', 'recommendation', 'Orders items for a child by age, language and interests.'),
    ('speech-counter', 'speech_metrics', 'Counts words and turns on the device; nothing of the sound leaves it.'),
    ('insight-writer', 'insight', 'Chooses remarks for parents from a catalogue.')
) AS m (name, purpose, description)
ON CONFLICT DO NOTHING;

INSERT INTO ml.model_versions (id, model_id, version, status, trained_at, deployed_at)
SELECT
    md5('wondernest/model/' || m.name || '/1.0')::uuid,
    m.id,
    '1.0',
    'live',
    '2024-11-01 00:00:00+00',
    '2025-01-01 00:00:00+00'
FROM ml.models AS m
WHERE m.name IN ('content-ranker', 'speech-counter', 'insight-writer')
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Sample families
-- ---------------------------------------------------------------------------

DO $samples$
DECLARE
    v_guardian record;
    v_context CONSTANT text := coalesce(current_setting('app.current_user_id', true), '');
BEGIN
    IF lower(coalesce(current_setting('app.seed_samples', true), '')) IN ('off', 'false', 'no', '0') THEN
        RETURN;
    END IF;

    -- '!' is no hash of any password: nobody can sign in.
    INSERT INTO core.users (
        id, email, email_verified_at, password_hash, first_name, last_name, timezone, locale, is_sample, created_at
    )
    SELECT
        md5('wondernest/sample/user/' || u.code)::uuid,
        format('sample.parent.%s@example.com', u.code),
        '2025-01-15 09:00:00+00',
        '!',
        'Sample',
        u.last_name,
        u.timezone,
        u.locale,
        true,
        '2025-01-15 09:00:00+00'
    FROM (
        VALUES
        ('one', 'Parent One', 'America/New_York', 'en'),
        ('two', 'Parent Two', 'America/New_York', 'en'),
        ('three', 'Parent Three', 'Europe/Madrid', 'es'),
        ('four', 'Parent Four', 'UTC', 'en')
    ) AS u (code, last_name, timezone, locale)
    ON CONFLICT DO NOTHING;

    INSERT INTO core.user_preferences (user_id, created_at)
    SELECT
        u.id,
        u.created_at
    FROM core.users AS u
    WHERE u.id = ANY (
        SELECT md5('wondernest/sample/user/' || x.code)::uuid
        FROM unnest(ARRAY['one', 'two', 'three', 'four']) AS x (code)
    )
    ON CONFLICT DO NOTHING;

    INSERT INTO family.families (id, name, created_by, timezone, is_sample, created_at)
    SELECT
        md5('wondernest/sample/family/' || f.code)::uuid,
        f.name,
        u.id,
        u.timezone,
        true,
        '2025-01-15 09:05:00+00'
    FROM (
        VALUES
        ('maple', 'Sample Family Maple', 'one'),
        ('olive', 'Sample Family Olive', 'three'),
        ('birch', 'Sample Family Birch', 'four')
    ) AS f (code, name, founder)
    INNER JOIN core.users AS u ON u.id = md5('wondernest/sample/user/' || f.founder)::uuid
    ON CONFLICT DO NOTHING;

    -- Two guardians in the first family; the founder of the last may look at the second.
    INSERT INTO family.family_members (family_id, user_id, role, can_consent, joined_at)
    SELECT
        f.id,
        u.id,
        m.role,
        m.role = 'guardian',
        '2025-01-15 09:05:00+00'
    FROM (
        VALUES
        ('maple', 'one', 'guardian'),
        ('maple', 'two', 'guardian'),
        ('olive', 'three', 'guardian'),
        ('olive', 'four', 'viewer'),
        ('birch', 'four', 'guardian')
    ) AS m (family_code, user_code, role)
    INNER JOIN family.families AS f ON f.id = md5('wondernest/sample/family/' || m.family_code)::uuid
    INNER JOIN core.users AS u ON u.id = md5('wondernest/sample/user/' || m.user_code)::uuid
    ON CONFLICT DO NOTHING;

    -- Children grow up and clocks may be wrong: who is not a child today is left out.
    INSERT INTO family.child_profiles (
        id, family_id, first_name, birth_date, gender, primary_language, interests, is_sample, created_at
    )
    SELECT
        md5('wondernest/sample/child/' || c.first_name)::uuid,
        f.id,
        c.first_name,
        c.birth_date::date,
        c.gender,
        c.primary_language,
        c.interests::text[],
        true,
        '2025-07-01 10:00:00+00'
    FROM (
        VALUES
        ('maple', 'Child One', '2025-06-10', 'female', 'en', '{animals,music}'),
        ('maple', 'Child Two', '2022-03-15', 'male', 'en', '{vehicles,numbers}'),
        ('maple', 'Child Three', '2018-09-01', NULL, 'en', '{space,coding}'),
        ('olive', 'Child Four', '2023-11-20', 'female', 'es', '{stories,oceans}'),
        ('olive', 'Child Five', '2020-02-29', 'male', 'es', '{dinosaurs}'),
        ('birch', 'Child Six', '2024-08-05', 'undisclosed', 'en', '{music}'),
        ('birch', 'Child Seven', '2015-12-12', 'other', 'en', '{art,science}'),
        ('birch', 'Child Eight', '2012-05-30', 'female', 'en', '{world,coding}')
    ) AS c (family_code, first_name, birth_date, gender, primary_language, interests)
    INNER JOIN family.families AS f ON f.id = md5('wondernest/sample/family/' || c.family_code)::uuid
    WHERE c.birth_date::date BETWEEN current_date - INTERVAL '17 years 11 months' AND current_date
    ON CONFLICT DO NOTHING;

    -- Each founder consented; the second guardian of the first family too, by a
    -- verifiable method. One child's speech is not analysed, one consent was
    -- withdrawn. Consents are given in one's own name, hence the context.
    FOR v_guardian IN
        SELECT
            u.id,
            md5('wondernest/sample/family/' || g.family_code)::uuid AS family_id,
            g.user_code,
            g.method
        FROM (
            VALUES
            ('maple', 'one', 'self_declared'),
            ('maple', 'two', 'credit_card'),
            ('olive', 'three', 'email_plus'),
            ('birch', 'four', 'signed_form')
        ) AS g (family_code, user_code, method)
        INNER JOIN core.users AS u ON u.id = md5('wondernest/sample/user/' || g.user_code)::uuid
    LOOP
        PERFORM set_config('app.current_user_id', v_guardian.id::text, true);
        INSERT INTO family.guardian_consents (
            id, child_id, guardian_user_id, consent_type, method, policy_version, granted_at, withdrawn_at,
            withdrawn_by, withdrawal_reason
        )
        SELECT
            md5('wondernest/sample/consent/' || c.first_name || '/' || v_guardian.user_code || '/' || t.consent_type)::uuid,
            c.id,
            v_guardian.id,
            t.consent_type,
            v_guardian.method,
            '2025-01',
            '2025-07-01 10:00:00+00',
            CASE WHEN w.is_withdrawn THEN '2025-09-01 10:00:00+00'::timestamptz END,
            CASE WHEN w.is_withdrawn THEN v_guardian.id END,
            CASE WHEN w.is_withdrawn THEN 'guardian_request' END
        FROM family.child_profiles AS c
        CROSS JOIN unnest(ARRAY['data_collection', 'audio_analysis', 'personalization']) AS t (consent_type)
        CROSS JOIN LATERAL (
            SELECT c.first_name = 'Child Eight' AND t.consent_type = 'personalization' AS is_withdrawn
        ) AS w
        WHERE c.family_id = v_guardian.family_id
            AND c.first_name LIKE 'Child %'
            AND NOT (c.first_name = 'Child Seven' AND t.consent_type = 'audio_analysis')
        ON CONFLICT DO NOTHING;
    END LOOP;
    PERFORM set_config('app.current_user_id', v_context, true);

    INSERT INTO safety.parental_controls (
        child_id, daily_screen_minutes, bedtime_start, bedtime_end, max_safety_level, audio_monitoring_enabled, created_at
    )
    SELECT
        c.id,
        CASE WHEN c.birth_date > '2023-01-01' THEN 20 ELSE 60 END,
        '19:30',
        '06:30',
        CASE WHEN c.birth_date > '2014-01-01' THEN 1 ELSE 3 END,
        c.first_name <> 'Child Seven',
        '2025-07-01 10:00:00+00'
    FROM family.child_profiles AS c
    WHERE c.family_id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
    ON CONFLICT DO NOTHING;

    INSERT INTO subscription.subscriptions (
        id, family_id, plan_id, payer_user_id, status, current_period_start, created_at
    )
    SELECT
        md5('wondernest/sample/subscription/' || s.family_code)::uuid,
        f.id,
        p.id,
        f.created_by,
        'active',
        '2025-01-15 09:10:00+00',
        '2025-01-15 09:10:00+00'
    FROM (
        VALUES
        ('maple', 'family_yearly'),
        ('olive', 'plus_monthly'),
        ('birch', 'free')
    ) AS s (family_code, plan_code)
    INNER JOIN family.families AS f ON f.id = md5('wondernest/sample/family/' || s.family_code)::uuid
    INNER JOIN subscription.plans AS p ON p.code = s.plan_code
    ON CONFLICT DO NOTHING;

    INSERT INTO analytics.child_milestones (child_id, milestone_id, achieved_on, recorded_by, created_at)
    SELECT
        c.id,
        m.id,
        (c.birth_date + make_interval(months => (m.typical_min_months + m.typical_max_months) / 2))::date,
        f.created_by,
        '2025-08-01 10:00:00+00'
    FROM family.child_profiles AS c
    INNER JOIN family.families AS f ON f.id = c.family_id
    CROSS JOIN analytics.milestones AS m
    WHERE f.id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
        AND m.id = md5('wondernest/milestone/' || m.code)::uuid
        AND c.birth_date + make_interval(months => m.typical_max_months) < '2025-08-01'
    ON CONFLICT DO NOTHING;

    -- A month of days: sums as they would have come from sessions long archived.
    INSERT INTO analytics.daily_child_metrics (
        child_id, metric_date, age_months, screen_seconds, items_started, items_completed, distinct_items,
        interaction_count, audio_sessions, audio_seconds, adult_word_count, child_vocalization_count,
        conversational_turns, media_seconds, mean_quality_score, calculated_at
    )
    SELECT
        c.id,
        d.day::date,
        content.age_in_months(c.birth_date, d.day::date),
        600 + 60 * (d.place % 7),
        4 + d.place % 3,
        3,
        4,
        20 + d.place,
        n.sessions,
        n.sessions * 1800,
        n.sessions * (900 + 15 * d.place),
        n.sessions * (120 + 4 * d.place),
        n.sessions * (40 + 2 * d.place),
        n.sessions * 200,
        CASE WHEN n.sessions > 0 THEN 0.85 END,
        '2025-10-01 03:00:00+00'
    FROM family.child_profiles AS c
    CROSS JOIN generate_series('2025-09-01'::timestamp, '2025-09-30'::timestamp, INTERVAL '1 day')
        WITH ORDINALITY AS d (day, place)
    CROSS JOIN LATERAL (SELECT CASE WHEN c.first_name = 'Child Seven' THEN 0 ELSE 1 END AS sessions) AS n
    WHERE c.family_id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
    ON CONFLICT DO NOTHING;

    INSERT INTO audio.session_archive (
        session_id, child_id, started_at, ended_at, location, status, quality_score, measured_seconds,
        adult_word_count, child_vocalization_count, conversational_turns, media_seconds, archived_at
    )
    SELECT
        md5(format('wondernest/sample/session/%s/%s', c.first_name, m.metric_date))::uuid,
        c.id,
        m.metric_date + TIME '10:00' AT TIME ZONE 'UTC',
        m.metric_date + TIME '10:30' AT TIME ZONE 'UTC',
        'home',
        'completed',
        m.mean_quality_score,
        m.audio_seconds,
        m.adult_word_count,
        m.child_vocalization_count,
        m.conversational_turns,
        m.media_seconds,
        '2026-01-01 03:00:00+00'
    FROM family.child_profiles AS c
    INNER JOIN analytics.daily_child_metrics AS m ON m.child_id = c.id
    WHERE c.family_id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
        AND m.metric_date BETWEEN '2025-09-01' AND '2025-09-30'
        AND m.audio_sessions = 1
    ON CONFLICT DO NOTHING;

    INSERT INTO analytics.insights (
        id, child_id, insight_type, title, details, confidence, period_start, period_end, created_at
    )
    SELECT
        md5('wondernest/sample/insight/' || c.first_name)::uuid,
        c.id,
        'speech',
        'More conversation than the month before',
        '{"conversational_turns_change_percent": 18}',
        0.8,
        '2025-09-01',
        '2025-09-30',
        -- Insights go after a year: with a fixed date they would be overdue from the first day on.
        now()
    FROM family.child_profiles AS c
    WHERE c.id IN (
        SELECT md5('wondernest/sample/child/' || x.first_name)::uuid
        FROM unnest(ARRAY['Child One', 'Child Two', 'Child Four']) AS x (first_name)
    )
    ON CONFLICT DO NOTHING;
END
$samples$;
