-- answers: where does pg_stat_statements stand in this database, and may this login reset it?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    -- A setting of the library exists exactly where the library is loaded; everyone may see it.
    pg_catalog.current_setting('pg_stat_statements.max', TRUE) IS NOT NULL AS preloaded,
    max(n.nspname::text) AS schema,
    max(e.extversion) AS version,
    coalesce(bool_or(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), FALSE) AS may_reset
FROM pg_catalog.pg_extension AS e
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = e.extnamespace
LEFT JOIN pg_catalog.pg_proc AS p
    ON p.pronamespace = n.oid
    AND p.proname = 'pg_stat_statements_reset'
WHERE e.extname = 'pg_stat_statements';
