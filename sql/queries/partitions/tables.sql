-- answers: Which tables are partitioned, by what, and may this login change them?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    t.partrelid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    t.partstrat::text AS strategy,
    pg_catalog.pg_get_partkeydef(t.partrelid) AS key_definition,
    t.partnatts::int AS key_columns,
    a.attname::text AS key_column,
    -- NULL for an expression.
    pg_catalog.format_type(a.atttypid, NULL) AS key_type,
    c.relispartition AS is_nested,
    nullif(t.partdefid, 0)::bigint AS default_oid,
    pg_catalog.pg_has_role(session_user, c.relowner, 'MEMBER') AS may_change
FROM pg_catalog.pg_partitioned_table AS t
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = t.partrelid
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = t.partrelid
    AND a.attnum = t.partattrs[0]
    AND a.attnum > 0
WHERE c.relpersistence <> 't'
ORDER BY
    n.nspname,
    c.relname;
