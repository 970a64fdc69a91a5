-- answers: which settings are set for roles and databases, and therefore not as the server has them?
-- privileges: none
-- since: 15
-- cost: one small catalog
-- Values are given for the named settings only: others may hold a key or a password.
WITH listed AS (
    SELECT
        d.setrole,
        d.setdatabase,
        pg_catalog.split_part(c.entry, '=', 1) AS name,
        pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting AS d
    CROSS JOIN LATERAL pg_catalog.unnest(d.setconfig) AS c (entry)
)

SELECT
    coalesce(r.rolname::text, '') AS role,
    coalesce(b.datname::text, '') AS database,
    l.name,
    CASE WHEN l.name = ANY (:'names'::text[]) THEN l.value END AS value,
    l.setdatabase = 0 OR b.datname = pg_catalog.current_database() AS here
FROM listed AS l
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = l.setrole
LEFT JOIN pg_catalog.pg_database AS b
    ON b.oid = l.setdatabase
ORDER BY l.name, role, database;
