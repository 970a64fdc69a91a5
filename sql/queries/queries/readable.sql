-- answers: may this login read pg_stat_statements in the schema where it stands, and what GRANT would let it?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS enters,
    coalesce(pg_catalog.has_table_privilege(c.oid, 'SELECT'), false) AS reads,
    coalesce(
        (
            SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
            FROM pg_catalog.pg_proc AS p
            WHERE
                p.pronamespace = n.oid
                AND p.proname IN ('pg_stat_statements', 'pg_stat_statements_info')
        ),
        false
    ) AS calls,
    pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user) AS to_enter,
    pg_catalog.format('GRANT SELECT ON %I.pg_stat_statements TO %I', n.nspname, current_user) AS to_read,
    (
        SELECT
            pg_catalog.string_agg(
                pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, current_user), '; '
                ORDER BY p.proname
            )
        FROM pg_catalog.pg_proc AS p
        WHERE
            p.pronamespace = n.oid
            AND p.proname IN ('pg_stat_statements', 'pg_stat_statements_info')
    ) AS to_call
FROM pg_catalog.pg_namespace AS n
LEFT JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = n.oid
    AND c.relname = 'pg_stat_statements'
WHERE n.nspname = :'schema'::name;
