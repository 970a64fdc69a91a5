-- answers: which operations did the ledger see begin and never end?
-- title: Unfinished operations
-- area: ledger
-- unit: s
-- warn: > 15min
-- critical: > 24h
-- needs: execute:admin.get_unfinished_operations()
-- where: primary
-- preset: triage, nightly
-- none: every operation in the ledger has its outcome
-- privileges: EXECUTE on admin.get_unfinished_operations(), which gives ids and times
-- since: 15
-- cost: one scan of the ledger
SELECT
    u.op_id::text AS object,
    pg_catalog.round(extract(EPOCH FROM pg_catalog.clock_timestamp() - u.began_at)::numeric, 1) AS measured,
    u.began_at AS since,
    'has an intent and no outcome: it still runs, was cut short, or ended where the ledger could not be reached'
        AS detail,
    'wnadmin audit unfinished' AS fix
FROM admin.get_unfinished_operations() AS u
ORDER BY u.began_at
LIMIT 50;
