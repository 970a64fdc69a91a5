-- answers: Which columns could hold a recording or a voiceprint, by their type or their name?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- A binary column whose length a CHECK fixes to that of a hash cannot hold one.
WITH stored AS (
    SELECT
        n.nspname || '.' || c.relname AS table_name,
        a.attname::text AS column_name,
        pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
        CASE WHEN t.typtype = 'd' THEN b.typname ELSE t.typname END AS base,
        EXISTS (
            SELECT 1
            FROM pg_catalog.pg_constraint AS k
            WHERE k.contype = 'c'
                AND (k.conrelid = c.oid OR k.contypid = t.oid)
                AND pg_catalog.pg_get_constraintdef(k.oid) ~ (
                    'octet_length\((' || a.attname || '|VALUE)(\)::[a-z]+)?\) = [0-9]{1,2}\M'
                )
        ) AS is_short
    FROM pg_catalog.pg_attribute AS a
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = a.attrelid
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
    INNER JOIN pg_catalog.pg_type AS t
        ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type AS b
        ON b.oid = t.typbasetype
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
        AND c.relkind IN ('r', 'p', 'm', 'f')
        AND NOT c.relispartition
        AND a.attnum > 0
        AND NOT a.attisdropped
)

SELECT
    s.table_name,
    s.column_name,
    s.type_name,
    CASE
        WHEN s.base IN ('bytea', 'lo') AND NOT s.is_short THEN 'binary'
        WHEN s.base = 'oid' THEN 'large object'
        WHEN s.base IN ('_float4', '_float8', '_numeric', '_int2', '_int4', 'vector', 'halfvec', 'cube') THEN 'numbers'
        ELSE 'name'
    END AS suspicion
FROM stored AS s
WHERE (s.base IN ('bytea', 'lo') AND NOT s.is_short)
    OR s.base IN ('oid', '_float4', '_float8', '_numeric', '_int2', '_int4', 'vector', 'halfvec', 'cube')
    OR (
        s.column_name ~ (
            '(^|_)(audio|recordings?|waveform|wav|pcm|mp3|ogg|opus|flac|voice|voiceprint|spectrogram|mfcc|embedding)'
            '(_(data|blob|raw|file|path|url|uri|bytes|samples?|vector|print))?$'
        )
        AND s.base NOT IN ('bool', 'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'timestamptz', 'date', 'uuid')
    )
ORDER BY
    s.table_name,
    s.column_name;
