-- Rows of the world without their parent, or without a consent; every count must be 0.
SELECT
    'visits without a child',
    count(*)
FROM content.engagement AS e
WHERE NOT EXISTS (SELECT FROM family.child_profiles AS c WHERE c.id = e.child_id)
UNION ALL
SELECT
    'visits without an item',
    count(*)
FROM content.engagement AS e
WHERE NOT EXISTS (SELECT FROM content.items AS i WHERE i.id = e.item_id)
UNION ALL
SELECT
    'speech sessions without a child',
    count(*)
FROM audio.sessions AS s
WHERE NOT EXISTS (SELECT FROM family.child_profiles AS c WHERE c.id = s.child_id)
UNION ALL
SELECT
    'speech metrics without a session',
    count(*)
FROM audio.speech_metrics AS m
WHERE NOT EXISTS (SELECT FROM audio.sessions AS s WHERE s.id = m.session_id AND s.started_at = m.session_started_at)
UNION ALL
SELECT
    'events without a family',
    count(*)
FROM analytics.events AS e
WHERE e.family_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM family.families AS f WHERE f.id = e.family_id)
UNION ALL
SELECT
    'children without a live consent',
    count(*)
FROM family.child_profiles AS c
WHERE c.is_sample
    AND NOT EXISTS (
        SELECT
        FROM family.guardian_consents AS g
        WHERE g.child_id = c.id
            AND g.consent_type = 'data_collection'
            AND g.withdrawn_at IS NULL
    )
UNION ALL
SELECT
    'payments without an invoice',
    count(*)
FROM subscription.payments AS p
WHERE p.invoice_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM subscription.invoices AS i WHERE i.id = p.invoice_id);
