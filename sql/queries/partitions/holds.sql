-- answers: Which tables with legal holds do the rows of the table with the OID "parent" belong to, by which columns?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
-- Two floors up: a visit belongs to a child, and the child to a family; either may be on hold.
WITH RECURSIVE up AS (
    SELECT
        k.oid AS link,
        k.conrelid,
        k.confrelid,
        k.conkey,
        k.confkey,
        NULL::oid AS above,
        1 AS floor
    FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'f'
        AND k.conparentid = 0
        AND k.conrelid = :'parent'::oid
        AND k.confrelid <> k.conrelid
    UNION ALL
    SELECT
        k.oid,
        k.conrelid,
        k.confrelid,
        k.conkey,
        k.confkey,
        u.link,
        2
    FROM up AS u
    INNER JOIN pg_catalog.pg_constraint AS k
        ON k.conrelid = u.confrelid
    WHERE u.floor = 1
        AND k.contype = 'f'
        AND k.conparentid = 0
        AND k.confrelid <> k.conrelid
)

SELECT
    u.link::bigint AS link,
    u.above::bigint AS above,
    n.nspname::text AS schema,
    c.relname::text AS name,
    (
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY x.place)
        FROM pg_catalog.unnest(u.conkey) WITH ORDINALITY AS x (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = u.conrelid
            AND a.attnum = x.attnum
    ) AS columns,
    (
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY x.place)
        FROM pg_catalog.unnest(u.confkey) WITH ORDINALITY AS x (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = u.confrelid
            AND a.attnum = x.attnum
    ) AS referenced,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = u.confrelid
            AND a.attname = 'legal_hold'
            AND a.atttypid = 'pg_catalog.bool'::pg_catalog.regtype
            AND NOT a.attisdropped
    ) AS has_hold
FROM up AS u
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = u.confrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
ORDER BY
    u.floor,
    u.link;
