-- answers: Which row-level security policies are there on tables in the schemas named in "schemas"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    p.schemaname || '.' || p.tablename || ' ' || p.policyname AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'kind', lower(p.permissive),
        'for', p.cmd,
        'to', (SELECT jsonb_agg(r.name ORDER BY r.name) FROM unnest(p.roles) AS r (name)),
        'using', p.qual,
        'check', p.with_check
    )) AS facts
FROM pg_catalog.pg_policies AS p
WHERE p.schemaname = ANY (string_to_array(:'schemas'::text, ','))
ORDER BY name;
