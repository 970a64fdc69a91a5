-- does: adds the subscriptions, invoices and payments of sample families FIRST to LAST
-- privileges: superuser, or BYPASSRLS and INSERT on subscription
-- since: 15
-- cost: about 8 rows a family, half of them written by the audit trigger
-- Runs after accounts.sql in the same transaction, and uses the guardians that it listed.
CREATE TEMPORARY TABLE sample_subscriptions ON COMMIT DROP AS
WITH plans AS (
    SELECT
        p.id AS plan_id,
        p.price_cents,
        p.currency,
        CASE p.billing_interval WHEN 'year' THEN INTERVAL '1 year' ELSE INTERVAL '1 month' END AS period,
        row_number() OVER (
            ORDER BY p.price_cents, p.code
        ) - 1 AS place,
        count(*) OVER () AS places
    FROM subscription.plans AS p
    WHERE p.is_active
)

SELECT
    md5(:'seed'::text || '/subscription/' || g.family_number)::uuid AS subscription_id,
    md5(:'seed'::text || '/family/' || g.family_number)::uuid AS family_id,
    g.family_number,
    g.user_id,
    g.draw,
    g.joined_at,
    p.plan_id,
    p.price_cents,
    p.currency,
    p.period
FROM pg_temp.sample_guardians AS g
INNER JOIN plans AS p ON p.place = (g.draw >> 28 & 1023) % p.places
WHERE g.guardian_number = 1;

INSERT INTO subscription.subscriptions (
    id, family_id, plan_id, payer_user_id, status, provider, provider_subscription_ref, current_period_start,
    current_period_end, created_at, updated_at
)
SELECT
    s.subscription_id AS id,
    s.family_id,
    s.plan_id,
    s.user_id AS payer_user_id,
    'active' AS status,
    CASE WHEN s.price_cents = 0 THEN 'none' ELSE 'stripe' END AS provider,
    CASE WHEN s.price_cents > 0 THEN 'sub_sample_' || :'seed'::text || '_' || s.family_number END
        AS provider_subscription_ref,
    s.joined_at AS current_period_start,
    CASE WHEN s.price_cents > 0 THEN :'until'::timestamptz + s.period END AS current_period_end,
    s.joined_at AS created_at,
    s.joined_at AS updated_at
FROM pg_temp.sample_subscriptions AS s;

-- The first three periods that were due before the world ends.
CREATE TEMPORARY TABLE sample_bills ON COMMIT DROP AS
SELECT
    s.subscription_id,
    s.family_id,
    s.family_number,
    s.draw,
    s.price_cents,
    s.currency,
    b.number,
    s.joined_at + (b.number - 1) * s.period AS issued_at
FROM pg_temp.sample_subscriptions AS s
CROSS JOIN generate_series(1, 3) AS b (number)
WHERE
    s.price_cents > 0
    AND s.joined_at + (b.number - 1) * s.period < :'until'::timestamptz - INTERVAL '1 day';

INSERT INTO subscription.invoices (
    id, family_id, subscription_id, invoice_number, provider, provider_invoice_ref, status, amount_cents,
    currency, billing_country, issued_at, paid_at, created_at, updated_at
)
SELECT
    md5(b.subscription_id || '/invoice/' || b.number)::uuid AS id,
    b.family_id,
    b.subscription_id,
    'SAMPLE-' || :'seed'::text || '-' || b.family_number || '-' || b.number AS invoice_number,
    'stripe' AS provider,
    'in_sample_' || :'seed'::text || '_' || b.family_number || '_' || b.number AS provider_invoice_ref,
    'paid' AS status,
    b.price_cents AS amount_cents,
    b.currency,
    (ARRAY['US', 'US', 'DE', 'JP'])[1 + (b.draw >> 24 & 3)] AS billing_country,
    b.issued_at,
    b.issued_at + INTERVAL '1 minute' AS paid_at,
    b.issued_at AS created_at,
    b.issued_at + INTERVAL '1 minute' AS updated_at
FROM pg_temp.sample_bills AS b;

INSERT INTO subscription.payments (
    id, family_id, subscription_id, invoice_id, provider, provider_payment_ref, status, amount_cents, currency,
    occurred_at, created_at, updated_at
)
SELECT
    md5(b.subscription_id || '/payment/' || b.number)::uuid AS id,
    b.family_id,
    b.subscription_id,
    md5(b.subscription_id || '/invoice/' || b.number)::uuid AS invoice_id,
    'stripe' AS provider,
    'pi_sample_' || :'seed'::text || '_' || b.family_number || '_' || b.number AS provider_payment_ref,
    'succeeded' AS status,
    b.price_cents AS amount_cents,
    b.currency,
    b.issued_at + INTERVAL '1 minute' AS occurred_at,
    b.issued_at AS created_at,
    b.issued_at + INTERVAL '1 minute' AS updated_at
FROM pg_temp.sample_bills AS b;
