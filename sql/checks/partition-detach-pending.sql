-- answers: which partitions were left half detached?
-- title: Partitions half detached
-- area: partitions
-- unit: level
-- warn: > 0
-- critical: > 1
-- where: primary
-- preset: nightly
-- none: no partition is being detached
-- privileges: none
-- since: 15
-- cost: one pass over the partitions
WITH pending AS MATERIALIZED (
    SELECT
        i.inhrelid,
        i.inhparent
    FROM pg_catalog.pg_inherits AS i
    WHERE i.inhdetachpending
)

SELECT
    pg_catalog.format('%I.%I', cn.nspname, c.relname) AS object,
    1::numeric AS measured,
    NULL::timestamptz AS since,
    pg_catalog.format(
        'DETACH CONCURRENTLY from %I.%I was begun and not finished: queries of the parent skip its rows, rows for'
        ' it are refused, and no other partition can be detached in this way',
        pn.nspname,
        p.relname
    ) AS detail,
    pg_catalog.format(
        'ALTER TABLE %I.%I DETACH PARTITION %I.%I FINALIZE', pn.nspname, p.relname, cn.nspname, c.relname
    ) AS fix
FROM pending AS i
INNER JOIN pg_catalog.pg_class AS c
    ON c.oid = i.inhrelid
INNER JOIN pg_catalog.pg_namespace AS cn
    ON cn.oid = c.relnamespace
INNER JOIN pg_catalog.pg_class AS p
    ON p.oid = i.inhparent
INNER JOIN pg_catalog.pg_namespace AS pn
    ON pn.oid = p.relnamespace
-- Its indexes may have the same mark.
WHERE c.relkind NOT IN ('i', 'I')
ORDER BY object
LIMIT 50;
