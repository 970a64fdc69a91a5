-- answers: Can "login" take a dump of this database, and how many connections has it left?
-- privileges: none; pg_read_all_stats to count the sessions of other roles surely
-- since: 15
-- cost: catalog look-ups and one look at pg_stat_activity
SELECT
    r.rolcanlogin AS can_login,
    r.rolsuper AS superuser,
    r.rolsuper OR r.rolbypassrls AS sees_all_rows,
    pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') AS may_connect,
    r.rolconnlimit AS connection_limit,
    (
        SELECT count(*)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.usesysid = r.oid
    ) AS in_use
FROM pg_catalog.pg_roles AS r
INNER JOIN pg_catalog.pg_database AS d
    ON d.datname = pg_catalog.current_database()
WHERE r.rolname = :'login'::text;
