-- does: forgets the statement statistics of the connected database
-- privileges: EXECUTE on pg_stat_statements_reset
-- since: 15
-- cost: rewrites the statistics file, milliseconds
SELECT :"schema".pg_stat_statements_reset(0, d.oid, 0)
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database();
