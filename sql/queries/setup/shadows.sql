-- answers: Which databases of names beginning with "prefix" are there, are they in use, and may this login drop them?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: catalog look-ups and one look at pg_locks
-- Whoever makes such a database holds the advisory lock of its name from before it is there until after it is gone.
WITH shadow AS (
    SELECT
        d.datname,
        d.datdba,
        hashtextextended(d.datname::text, 0) AS key
    FROM pg_catalog.pg_database AS d
    WHERE starts_with(d.datname, :'prefix'::text)
)

SELECT
    s.datname::text AS name,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'advisory'
            AND l.granted
            AND l.objsubid = 1
            AND ((l.classid::bigint << 32) | l.objid::bigint) = s.key
    ) OR EXISTS (
        SELECT 1
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = s.datname
            AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
    ) AS in_use,
    pg_catalog.pg_has_role(s.datdba, 'MEMBER') AS may_drop
FROM shadow AS s
ORDER BY s.datname;
