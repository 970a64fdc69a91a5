-- answers: What are the functions of the schemas named in "schemas"? Bodies are given as a hash.
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    n.nspname || '.' || p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS name,
    jsonb_strip_nulls(jsonb_build_object(
        'kind',
        CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'window' END,
        'owner', pg_catalog.pg_get_userbyid(p.proowner),
        'comment', pg_catalog.obj_description(p.oid, 'pg_proc') IS NOT NULL,
        'arguments', pg_catalog.pg_get_function_arguments(p.oid),
        'result', pg_catalog.pg_get_function_result(p.oid),
        'language', l.lanname,
        'volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
        'security', CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
        'parallel', CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
        'strict', nullif(p.proisstrict, false),
        'leakproof', nullif(p.proleakproof, false),
        'settings', to_jsonb(p.proconfig),
        'cost', p.procost,
        'rows', nullif(p.prorows, 0),
        'body', left(encode(sha256(convert_to(
            coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), 'UTF8'
        )), 'hex'), 16)
    )) AS facts
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = p.pronamespace
INNER JOIN pg_catalog.pg_language AS l
    ON l.oid = p.prolang
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass
            AND d.objid = p.oid
            AND d.deptype = 'e'
    )
ORDER BY name;
