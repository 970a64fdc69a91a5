-- answers: What does a new partition of the table with the OID "parent" take over that LIKE and ATTACH do not?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
-- Owner, row-level security, replica identity and tablespace are the parent's. Storage parameters cannot stand at a
-- parent; they are those of its partition "sibling" (0: none).
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    session_user::text AS login,
    current_user::text AS acting,
    (
        SELECT r.rolsuper
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = current_user
    ) AS is_superuser,
    c.relrowsecurity AS rls_enabled,
    c.relforcerowsecurity AS rls_forced,
    c.relreplident::text AS replica_identity,
    (
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
        FROM pg_catalog.pg_index AS i
        CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = i.indrelid
            AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid
            AND i.indisreplident
    ) AS identity_columns,
    coalesce(ts.spcname, ss.spcname)::text AS tablespace,
    -- NULL for what a new table gets anyway.
    nullif(m.amname::text, pg_catalog.current_setting('default_table_access_method')) AS access_method,
    c.relpersistence::text AS persistence,
    coalesce(s.reloptions, '{}') AS options,
    coalesce(
        (
            SELECT pg_catalog.array_agg('toast.' || o.option)
            FROM pg_catalog.pg_class AS x
            CROSS JOIN LATERAL pg_catalog.unnest(x.reloptions) AS o (option)
            WHERE x.oid = s.reltoastrelid
        ),
        '{}'
    ) AS toast_options
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class AS s
    ON s.oid = :'sibling'::oid
LEFT JOIN pg_catalog.pg_tablespace AS ts
    ON ts.oid = nullif(c.reltablespace, 0)
LEFT JOIN pg_catalog.pg_tablespace AS ss
    ON ss.oid = nullif(s.reltablespace, 0)
LEFT JOIN pg_catalog.pg_am AS m
    ON m.oid = coalesce(nullif(c.relam, 0), nullif(s.relam, 0))
WHERE c.oid = :'parent'::oid;
