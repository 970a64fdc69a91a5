-- answers: Which foreign keys are there, over which columns, and how often are the rows they refer to changed?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: catalogs
SELECT
    o.oid::bigint AS oid,
    o.conname::text AS name,
    o.conrelid::bigint AS table_oid,
    pg_catalog.array_to_string(o.conkey, ' ') AS columns,
    (
        SELECT pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY p.place)
        FROM pg_catalog.unnest(o.conkey) WITH ORDINALITY AS p (part, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = o.conrelid
            AND a.attnum = p.part
    ) AS names,
    (
        SELECT pg_catalog.string_agg(a.attcollation::text, ' ' ORDER BY p.place)
        FROM pg_catalog.unnest(o.conkey) WITH ORDINALITY AS p (part, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = o.conrelid
            AND a.attnum = p.part
    ) AS collations,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS referred_table,
    o.conindid::bigint AS referred_index,
    o.conparentid::bigint AS parent_oid,
    true AS enforced,
    coalesce(s.n_tup_del, 0) + coalesce(s.n_tup_upd, 0) AS referred_changes
FROM pg_catalog.pg_constraint AS o
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = o.confrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_tables AS s
    ON s.relid = o.confrelid
WHERE o.contype = 'f'
ORDER BY o.oid;
