-- answers: Which of the roles named in "roles" (comma-separated) are there, and how many sessions do they hold?
-- privileges: none beyond CONNECT (pg_monitor to count the sessions of others)
-- since: 15
-- cost: catalog look-ups
SELECT
    w.name,
    r.oid IS NOT NULL AS exists,
    coalesce(r.rolcanlogin, false) AS login,
    nullif(r.rolconnlimit, -1) AS connection_limit,
    CASE WHEN r.rolcanlogin THEN (
            SELECT count(*)
            FROM pg_catalog.pg_stat_activity AS a
            WHERE a.usesysid = r.oid
        )
    END AS sessions,
    coalesce(r.rolbypassrls, false) AS bypasses_rls,
    (
        SELECT string_agg(g.rolname::text, ', ' ORDER BY g.rolname)
        FROM pg_catalog.pg_auth_members AS m
        INNER JOIN pg_catalog.pg_roles AS g
            ON g.oid = m.roleid
        WHERE m.member = r.oid
    ) AS member_of,
    CASE
        WHEN r.rolvaliduntil = '-infinity' THEN '0001-01-01'::timestamptz
        WHEN r.rolvaliduntil < 'infinity' THEN r.rolvaliduntil
    END AS valid_until
FROM unnest(string_to_array(:'roles'::text, ',')) WITH ORDINALITY AS w (name, place)
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.rolname = w.name
ORDER BY w.place;
