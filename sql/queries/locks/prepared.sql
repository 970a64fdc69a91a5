-- answers: Which prepared transactions are there, whose, since when, and how are they rolled back?
-- privileges: none
-- since: 15
-- cost: one look at pg_prepared_xacts
SELECT
    p.transaction::text AS xid,
    p.gid,
    p.owner::text AS role,
    r.rolsuper AS superuser,
    p.database::text AS database,
    p.prepared,
    pg_catalog.clock_timestamp() - p.prepared AS age
FROM pg_catalog.pg_prepared_xacts AS p
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.rolname = p.owner
ORDER BY p.prepared ASC;
