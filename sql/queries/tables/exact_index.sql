-- answers: How full are the pages of one btree index, named by "oid"? Counted, not estimated.
-- privileges: pg_stat_scan_tables, and USAGE on the schema in which pgstattuple stands ("schema")
-- since: 15
-- cost: reads the whole index; waits for whoever has it locked exclusively
SELECT
    s.index_size AS bytes,
    s.leaf_pages,
    s.empty_pages,
    s.deleted_pages,
    coalesce(nullif(s.avg_leaf_density, 'NaN'), 0) AS density
FROM pg_catalog.pg_class AS c
CROSS JOIN :"schema".pgstatindex(c.oid::regclass) AS s
WHERE c.oid = :'oid'::oid
    AND c.relkind = 'i';
