-- answers: Which months does each partitioned table in "schemas" cover, and is each protected as its parent?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
WITH part AS (
    SELECT
        n.nspname || '.' || p.relname AS parent,
        m.nspname || '.' || c.relname AS name,
        p.relowner AS parent_owner,
        c.relowner,
        p.relrowsecurity AND p.relforcerowsecurity AS wants_rls,
        c.relrowsecurity AND c.relforcerowsecurity AS has_rls,
        p.relacl AS parent_acl,
        c.relacl,
        c.oid,
        i.inhdetachpending,
        pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_catalog.pg_inherits AS i
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = i.inhrelid
    INNER JOIN pg_catalog.pg_namespace AS m
        ON m.oid = c.relnamespace
    INNER JOIN pg_catalog.pg_class AS p
        ON p.oid = i.inhparent
    INNER JOIN pg_catalog.pg_namespace AS n
        ON n.oid = p.relnamespace
    WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
        AND p.relkind = 'p'
)

SELECT
    p.parent,
    p.name,
    (regexp_match(p.bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz AS from_time,
    (regexp_match(p.bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz AS to_time,
    p.bound = 'DEFAULT' AS is_default,
    p.inhdetachpending AS detach_pending,
    p.relowner = p.parent_owner AS same_owner,
    p.has_rls OR NOT p.wants_rls AS protected,
    EXISTS (
        SELECT 1 FROM pg_catalog.pg_policy AS y
        WHERE y.polrelid = p.oid
    ) AS has_policy,
    coalesce(p.relacl::text, '') = coalesce(p.parent_acl::text, '') AS same_grants
FROM part AS p
ORDER BY
    p.parent,
    p.name;
