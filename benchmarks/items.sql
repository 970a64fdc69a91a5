-- A library of :items approved items for every age, with creators and categories; again it adds nothing.
-- The triggers run: they make the age bands that content.get_age_appropriate_content reads.
INSERT INTO content.creators (id, name)
SELECT
    md5('bench/creator/' || n.number)::uuid,
    'Bench creator ' || n.number
FROM generate_series(1, 50) AS n (number)
ON CONFLICT DO NOTHING;

INSERT INTO content.items (
    id, title, description, content_type, creator_id, language, min_age_months, max_age_months, duration_seconds,
    learning_goals, status, safety_level, quality_score, popularity_score, published_at
)
SELECT
    n.item_id,
    'Bench item ' || n.number,
    'Made to measure with.',
    (ARRAY['video', 'audio', 'book', 'game', 'activity', 'song'])[1 + (n.draw & 65535) % 6],
    md5('bench/creator/' || 1 + (n.draw >> 16 & 1023) % 50)::uuid,
    (ARRAY['en', 'en', 'en', 'es', 'fr', 'de', 'zxx', 'en'])[1 + (n.draw >> 26 & 7)],
    n.from_months,
    least(n.from_months + 12 + (n.draw >> 37 & 31), 227),
    60 + (n.draw >> 42 & 1023),
    ARRAY[(ARRAY['language', 'music', 'nature', 'numbers'])[1 + (n.draw >> 52 & 3)]],
    'approved',
    1 + (n.draw >> 54 & 1),
    (n.draw >> 8 & 8191) / 8192.0,
    (n.draw >> 21 & 8191) / 8192.0,
    TIMESTAMPTZ '2016-01-01 00:00:00+00'
FROM (
    SELECT
        g.number,
        i.item_id,
        d.draw,
        (d.draw >> 29 & 255)::int % 192 AS from_months
    FROM generate_series(1, :items) AS g (number)
    CROSS JOIN LATERAL (SELECT md5('bench/item/' || g.number)::uuid AS item_id) AS i
    CROSS JOIN LATERAL (SELECT uuid_hash_extended(i.item_id, 0) AS draw) AS d
) AS n
ON CONFLICT DO NOTHING;

INSERT INTO content.item_categories (item_id, category_id, is_primary)
SELECT
    md5('bench/item/' || g.number)::uuid,
    c.id,
    TRUE
FROM generate_series(1, :items) AS g (number)
INNER JOIN (
    SELECT
        k.id,
        row_number() OVER (ORDER BY k.slug) - 1 AS place,
        count(*) OVER () AS places
    FROM content.categories AS k
) AS c ON c.place = g.number % c.places
ON CONFLICT DO NOTHING;
