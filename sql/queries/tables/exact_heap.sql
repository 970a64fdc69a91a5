-- answers: How much of one table or TOAST table, named by "oid", is dead or free? Counted, not estimated.
-- privileges: pg_stat_scan_tables, and USAGE on the schema in which pgstattuple stands ("schema")
-- since: 15
-- cost: reads the pages that are not all-visible; waits for whoever has the table locked exclusively
SELECT
    s.table_len AS bytes,
    s.dead_tuple_len AS dead_bytes,
    s.approx_free_space::bigint AS free_bytes,
    s.scanned_percent::double precision AS scanned_percent
FROM pg_catalog.pg_class AS c
CROSS JOIN :"schema".pgstattuple_approx(c.oid) AS s
WHERE c.oid = :'oid'::oid
    AND c.relkind IN ('r', 'm', 't');
