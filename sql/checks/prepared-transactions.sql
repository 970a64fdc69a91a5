-- answers: which prepared transactions wait to be committed or rolled back, since when, and whose are they?
-- title: Prepared transactions
-- area: transactions
-- unit: s
-- warn: > 5min
-- critical: > 1h
-- where: primary
-- preset: triage
-- none: no transaction is prepared
-- privileges: none
-- since: 15
-- cost: one pass over the prepared transactions
SELECT
    pg_catalog.format('prepared %L', p.gid) AS object,
    round(extract(EPOCH FROM pg_catalog.clock_timestamp() - p.prepared), 1) AS measured,
    p.prepared AS since,
    pg_catalog.format(
        '%L of %s in database %s, transaction %s, %s transactions ago; its locks and its snapshot outlive a restart',
        p.gid,
        p.owner,
        p.database,
        p.transaction,
        pg_catalog.age(p.transaction)
    ) AS detail,
    pg_catalog.format(
        'Ask its coordinator; then in psql, in database %s, as %s or a superuser: ROLLBACK PREPARED %L',
        p.database,
        p.owner,
        p.gid
    ) AS fix
FROM pg_catalog.pg_prepared_xacts AS p
ORDER BY p.prepared
LIMIT 50;
