-- answers: Which database is this, who am I here, and what does the database itself say about read-only mode?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
-- "kept" and "cut" are what `readonly on` left in the settings wnadmin.readonly and wnadmin.readonly_cut.
SELECT
    (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)::text AS system_identifier,
    d.oid::bigint AS database_oid,
    d.datname::text AS database,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    session_user::text AS login,
    r.rolsuper AS is_superuser,
    pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owns_database,
    pg_catalog.has_parameter_privilege('wnadmin.readonly', 'SET') AS may_remember,
    pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees_sessions,
    (
        SELECT substr(e.entry, strpos(e.entry, '=') + 1)
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
        WHERE s.setdatabase = d.oid
            AND s.setrole = 0
            AND split_part(e.entry, '=', 1) = 'wnadmin.readonly'
    ) AS kept,
    (
        SELECT substr(e.entry, strpos(e.entry, '=') + 1)
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
        WHERE s.setdatabase = d.oid
            AND s.setrole = 0
            AND split_part(e.entry, '=', 1) = 'wnadmin.readonly_cut'
    ) AS cut,
    pg_catalog.clock_timestamp() AS now
FROM pg_catalog.pg_database AS d
INNER JOIN pg_catalog.pg_roles AS r
    ON r.rolname = session_user
WHERE d.datname = pg_catalog.current_database();
