-- answers: Which sequences, rewrite rules and extended statistics are in the schemas named in "schemas"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    'sequence ' || s.schemaname || '.' || s.sequencename AS name,
    jsonb_build_object('owner', s.sequenceowner, 'type', s.data_type::text) AS facts
FROM pg_catalog.pg_sequences AS s
WHERE s.schemaname = ANY (string_to_array(:'schemas'::text, ','))
UNION ALL
SELECT
    'rule ' || r.schemaname || '.' || r.tablename || ' ' || r.rulename AS name,
    jsonb_build_object('definition', r.definition) AS facts
FROM pg_catalog.pg_rules AS r
WHERE r.schemaname = ANY (string_to_array(:'schemas'::text, ','))
UNION ALL
SELECT
    'statistics ' || n.nspname || '.' || x.stxname AS name,
    jsonb_build_object('definition', pg_catalog.pg_get_statisticsobjdef(x.oid)) AS facts
FROM pg_catalog.pg_statistic_ext AS x
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = x.stxnamespace
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
ORDER BY name;
