-- answers: Which foreign keys lead to the table "oid", and what becomes of their rows when its rows are deleted?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
-- Columns are a JSON list; "action" is a no action, r restrict, c cascade, n set null, d set default.
SELECT
    k.conname::text AS name,
    n.nspname::text AS schema,
    c.relname::text AS table_name,
    k.confdeltype::text AS action,
    (
        SELECT pg_catalog.array_to_json(pg_catalog.array_agg(a.attname::text ORDER BY u.place))::text
        FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = k.conrelid
            AND a.attnum = u.attnum
    ) AS columns,
    (
        SELECT pg_catalog.array_to_json(pg_catalog.array_agg(a.attname::text ORDER BY u.place))::text
        FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = k.confrelid
            AND a.attnum = u.attnum
    ) AS keys,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = k.conrelid
            AND a.attname = 'legal_hold'
            AND a.atttypid = 'boolean'::regtype
            AND NOT a.attisdropped
    ) AS has_hold
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = k.conrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
WHERE k.contype = 'f'
    AND k.confrelid = :'oid'::oid
    AND k.conparentid = 0
ORDER BY
    n.nspname,
    c.relname,
    k.conname;
