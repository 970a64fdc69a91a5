-- answers: which share of the blocks that this database asked for did it find in shared buffers?
-- title: Buffer hits
-- area: memory
-- unit: %
-- warn: < 90
-- evidence: partial
-- preset: nightly
-- none: fewer than 100,000 blocks were asked for since the counters began, too few to judge
-- privileges: none
-- since: 15
-- cost: one row
SELECT
    pg_catalog.format('database %I', s.datname) AS object,
    round(100.0 * s.blks_hit / (s.blks_hit + s.blks_read), 2) AS measured,
    s.stats_reset AS since,
    pg_catalog.format(
        '%s blocks were asked for, %s of them not found%s; shared_buffers is %s',
        s.blks_hit + s.blks_read,
        s.blks_read,
        CASE WHEN s.stats_reset IS NULL THEN ' since the database began' ELSE '' END,
        pg_catalog.current_setting('shared_buffers')
    ) AS detail,
    'wnadmin queries slow' AS fix
FROM pg_catalog.pg_stat_database AS s
WHERE s.datname = pg_catalog.current_database()
    AND s.blks_hit + s.blks_read >= 100000;
