-- answers: May this login read pages through pgstattuple, which stands in "schema", and what does it lack?
-- privileges: none
-- since: 15
-- cost: none to speak of
SELECT
    current_user::text AS login,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_enter,
    coalesce(pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), false) AS may_run
FROM pg_catalog.pg_namespace AS n
LEFT JOIN pg_catalog.pg_proc AS p
    ON p.pronamespace = n.oid
    AND p.proname IN ('pgstattuple_approx', 'pgstatindex')
WHERE n.nspname = :'schema'::text
GROUP BY n.oid;
