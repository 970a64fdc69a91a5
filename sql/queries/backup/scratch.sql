-- answers: Which databases did drills leave on this server, and is anyone in them?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    d.datname::text AS name,
    (
        SELECT count(*)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datid = d.oid
    ) AS sessions
FROM pg_catalog.pg_database AS d
WHERE starts_with(d.datname::text, :'prefix'::text)
ORDER BY d.datname;
