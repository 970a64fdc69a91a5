-- answers: How wide is each column of the tables named in "oids", on average, as far as this login may see?
-- privileges: SELECT on the columns: pg_stats hides all others, and all of a table under row-level security from
-- whoever its policies apply to; "seen" is false for those
-- since: 15
-- cost: the statistics of the tables named
SELECT
    a.attrelid::bigint AS table_oid,
    a.attnum::int AS position,
    a.attisdropped AS dropped,
    a.attlen::int AS length,
    a.attalign::text AS alignment,
    s.attname IS NOT NULL AS seen,
    coalesce(s.avg_width, 0) AS width,
    coalesce(s.null_frac, 0)::double precision AS nulls,
    coalesce(s.n_distinct, 0)::double precision AS distinct_values
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = a.attrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stats AS s
    ON s.schemaname = n.nspname
    AND s.tablename = c.relname
    AND s.attname = a.attname
    AND NOT s.inherited
WHERE a.attrelid = ANY (:'oids'::oid[])
    AND a.attnum > 0
ORDER BY a.attrelid, a.attnum;
