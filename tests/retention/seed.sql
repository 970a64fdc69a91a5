-- Rows past the time of their policy, of families where nothing, the child or the whole family is on legal hold.
-- Needs the sample families; ids are told by name so that tests can find the rows again.
INSERT INTO core.users (id, email, first_name, is_sample, legal_hold)
VALUES
('00000000-0000-0000-0000-0000000000a1', 'free@example.com', 'Free', true, false),
('00000000-0000-0000-0000-0000000000a2', 'held@example.com', 'Held', true, true);

INSERT INTO family.families (id, name, created_by, is_sample, legal_hold)
VALUES
('00000000-0000-0000-0000-0000000000f1', 'Free', '00000000-0000-0000-0000-0000000000a1', true, false),
('00000000-0000-0000-0000-0000000000f2', 'Held', '00000000-0000-0000-0000-0000000000a1', true, true);

INSERT INTO family.child_profiles (id, family_id, first_name, birth_date, is_sample, legal_hold)
VALUES
('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000f1', 'Free', '2022-01-01', true, false),
('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000f1', 'Held', '2022-01-01', true, true),
('00000000-0000-0000-0000-0000000000c3', '00000000-0000-0000-0000-0000000000f2', 'Their', '2022-01-01', true, false);

-- 300 a child: c1 goes, c2 and c3 stay. Beside them one that is young.
INSERT INTO analytics.insights (child_id, insight_type, title, period_start, period_end, created_at)
SELECT
    c.id,
    'speech',
    'old',
    '2024-01-01',
    '2024-01-31',
    now() - INTERVAL '1 year 40 days' + n * INTERVAL '1 minute'
FROM family.child_profiles AS c
CROSS JOIN generate_series(1, 300) AS n
WHERE c.id::text LIKE '00000000-0000-0000-0000-0000000000c_';
INSERT INTO analytics.insights (child_id, insight_type, title, period_start, period_end)
VALUES ('00000000-0000-0000-0000-0000000000c1', 'speech', 'young', '2024-01-01', '2024-01-31');

INSERT INTO core.user_devices (id, user_id, device_identifier, platform, last_seen_at)
VALUES
('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1', 'd1', 'ios', now() - INTERVAL '3 years'),
('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000a2', 'd2', 'ios', now() - INTERVAL '3 years');
-- A session that is still good was begun on the device that goes.
INSERT INTO core.sessions (user_id, device_id, token_hash, created_at, expires_at)
VALUES
(
    '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000d1', sha256('1'),
    now() - INTERVAL '9 days', now() + INTERVAL '9 days'
),
('00000000-0000-0000-0000-0000000000a1', NULL, sha256('2'), now() - INTERVAL '9 days', now() - INTERVAL '3 days'),
('00000000-0000-0000-0000-0000000000a2', NULL, sha256('3'), now() - INTERVAL '9 days', now() - INTERVAL '3 days');

-- Books go by their own date; i3 is on hold, and i4's payment is.
INSERT INTO subscription.invoices (
    id, family_id, invoice_number, provider, amount_cents, currency, issued_at, retention_until, legal_hold
)
SELECT
    ('00000000-0000-0000-0000-0000000001' || n || '0')::uuid,
    '00000000-0000-0000-0000-0000000000f1',
    'test-' || n,
    'stripe',
    100,
    'EUR',
    '2014-05-01',
    CASE WHEN n = 2 THEN now()::date + 5 ELSE '2025-01-01' END,
    n = 3
FROM generate_series(1, 4) AS n;
INSERT INTO subscription.payments (
    invoice_id, provider, provider_payment_ref, status, amount_cents, currency, occurred_at, retention_until, legal_hold
)
SELECT
    ('00000000-0000-0000-0000-0000000001' || n || '0')::uuid,
    'stripe',
    'test-' || n,
    'succeeded',
    100,
    'EUR',
    now(),
    now()::date + 100,
    n = 4
FROM (VALUES (1), (4)) AS v (n);

INSERT INTO audit.activity_log ("timestamp", action, table_schema, table_name, row_id, child_id, retention_until, legal_hold)
SELECT
    now() - INTERVAL '1 minute',
    'UPDATE',
    'core',
    'users',
    'test-' || n,
    CASE WHEN n = 2 THEN '00000000-0000-0000-0000-0000000000c2'::uuid END,
    CASE WHEN n = 4 THEN now() + INTERVAL '1 day' ELSE now() - INTERVAL '1 day' END,
    n = 3
FROM generate_series(1, 4) AS n;
