-- answers: What writes to this database beside its clients: prepared transactions, subscriptions, a scheduler?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups, and one look at the prepared transactions
SELECT
    'prepared transaction' AS kind,
    p.gid AS name
FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.database = pg_catalog.current_database()
UNION ALL
SELECT
    'subscription' AS kind,
    s.subname::text AS name
FROM pg_catalog.pg_subscription AS s
INNER JOIN pg_catalog.pg_database AS d
    ON d.oid = s.subdbid
WHERE d.datname = pg_catalog.current_database()
    AND s.subenabled
UNION ALL
SELECT
    'scheduler' AS kind,
    e.extname::text AS name
FROM pg_catalog.pg_extension AS e
WHERE e.extname IN ('pg_cron', 'pg_timetable', 'pgagent')
ORDER BY
    kind,
    name;
