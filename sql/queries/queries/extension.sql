-- answers: where does pg_stat_statements stand in this database, and may this login reset it?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    -- A setting of the library exists exactly where the library is loaded; everyone may see it.
    pg_catalog.current_setting('pg_stat_statements.max', TRUE) IS NOT NULL AS preloaded,
    n.nspname AS schema,
    e.extversion AS version,
    COALESCE(bool_or(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), FALSE) AS may_reset
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_extension AS e
    ON e.extname = 'pg_stat_statements'
LEFT JOIN pg_catalog.pg_namespace AS n
    ON n.oid = e.extnamespace
LEFT JOIN pg_catalog.pg_proc AS p
    ON
        p.pronamespace = n.oid
        AND p.proname = 'pg_stat_statements_reset'
GROUP BY n.nspname, e.extversion;
