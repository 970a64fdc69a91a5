-- answers: How many rows were ever inserted, updated or deleted in each table of this database?
-- privileges: none beyond CONNECT (statistics views)
-- since: 15
-- cost: one pass over the statistics of all tables
-- Asked twice, it tells whether and where something was written in between; what was rolled back counts too. A busy
-- session reports once a second. The operator ledger is left out: it is written also while everything else is not.
SELECT
    pg_catalog.format('%I.%I', t.schemaname, t.relname) AS name,
    t.n_tup_ins + t.n_tup_upd + t.n_tup_del AS written
FROM pg_catalog.pg_stat_all_tables AS t
WHERE (t.schemaname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OR t.relname = 'pg_largeobject')
    AND (t.schemaname, t.relname) NOT IN (('audit', 'operator_ledger'), ('audit', 'ledger_checkpoints'))
    AND t.n_tup_ins + t.n_tup_upd + t.n_tup_del > 0
ORDER BY name;
