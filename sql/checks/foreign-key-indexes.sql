-- answers: which foreign keys have no index on the referencing side?
-- title: Foreign keys without an index
-- area: schema
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- none: every foreign key has an index
-- privileges: none
-- since: 15
-- cost: one pass over the foreign keys and their tables' indexes
WITH keys AS (
    SELECT
        k.oid,
        k.conrelid,
        k.conname,
        k.conkey,
        k.confrelid,
        k.confdeltype,
        cardinality(k.conkey) AS width,
        c.reltuples,
        n.nspname,
        c.relname
    FROM pg_catalog.pg_constraint AS k
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = k.conrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    WHERE k.contype = 'f'
        -- What a partition has from its parent is judged there.
        AND k.conparentid = 0
        AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
        -- From PostgreSQL 18 on; without enforcement nobody looks for referencing rows.
        AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, TRUE)
),

bare AS (
    SELECT
        k.oid,
        k.conname,
        k.conkey,
        k.confrelid,
        k.confdeltype,
        k.conrelid,
        k.nspname,
        k.relname,
        k.reltuples,
        (
            SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.place)
            FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
            INNER JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid = k.conrelid
                AND a.attnum = u.attnum
        ) AS columns,
        (
            SELECT pg_catalog.array_agg(pg_catalog.format('(%I IS NOT NULL)', a.attname) ORDER BY u.place)
            FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
            INNER JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid = k.conrelid
                AND a.attnum = u.attnum
        ) AS not_null,
        -- Indexes that begin with the key's columns, in any order. INCLUDE columns come after all of these.
        (
            SELECT pg_catalog.array_agg(coalesce(pg_catalog.pg_get_expr(x.indpred, x.indrelid), ''))
            FROM pg_catalog.pg_index AS x
            INNER JOIN pg_catalog.pg_class AS i
                ON i.oid = x.indexrelid
            INNER JOIN pg_catalog.pg_am AS m
                ON m.oid = i.relam
            WHERE x.indrelid = k.conrelid
                AND x.indisvalid
                AND x.indisready
                AND x.indislive
                AND m.amname IN ('btree', 'hash', 'gist')
                AND x.indnkeyatts >= k.width
                AND (pg_catalog.string_to_array(x.indkey::text, ' ')::int2[])[1:k.width] @> k.conkey
                AND (pg_catalog.string_to_array(x.indkey::text, ' ')::int2[])[1:k.width] <@ k.conkey
        ) AS predicates
    FROM keys AS k
)

SELECT
    pg_catalog.format('%I.%I.%I', b.nspname, b.relname, b.conname) AS object,
    1::numeric AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        'no index begins with (%s)%s: %s of %s reads all of %I.%I%s',
        b.columns,
        CASE WHEN b.predicates IS NOT NULL THEN ' but a partial one, which leaves rows out' ELSE '' END,
        CASE b.confdeltype WHEN 'c' THEN 'a DELETE, which cascades,' ELSE 'a DELETE or change of key' END,
        b.confrelid::pg_catalog.regclass,
        b.nspname,
        b.relname,
        CASE WHEN b.reltuples >= 0 THEN pg_catalog.format(', about %s rows', b.reltuples::bigint) ELSE '' END
    ) AS detail,
    CASE
        WHEN (
            SELECT c.relkind FROM pg_catalog.pg_class AS c
            WHERE c.oid = b.conrelid
        ) = 'p'
            THEN pg_catalog.format(
                    'CREATE INDEX ON ONLY %I.%I (%s), then CONCURRENTLY on each partition and ATTACH',
                    b.nspname,
                    b.relname,
                    b.columns
                )
        ELSE pg_catalog.format('CREATE INDEX CONCURRENTLY ON %I.%I (%s)', b.nspname, b.relname, b.columns)
    END AS fix
FROM bare AS b
WHERE NOT coalesce(
        -- A row with NULL refers to nothing: an index without those rows is enough.
        b.predicates && (
            ARRAY[
                '',
                pg_catalog.format('(%s)', pg_catalog.array_to_string(b.not_null, ' AND ')),
                pg_catalog.format('(%s AND %s)', b.not_null[2], b.not_null[1])
            ] || b.not_null
        ),
        FALSE
    )
ORDER BY
    b.reltuples DESC,
    object ASC
LIMIT 50;
