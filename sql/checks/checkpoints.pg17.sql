-- answers: how many checkpoints within an hour were asked for, instead of being due by time?
-- title: Requested checkpoints
-- area: wal
-- unit: count
-- warn: > 6
-- critical: > 60
-- rate: hour
-- where: primary
-- preset: nightly
-- privileges: none
-- since: 17
-- cost: one row
SELECT
    '' AS object,
    s.num_requested::numeric AS measured,
    s.stats_reset AS since,
    pg_catalog.format(
        'checkpoints that were requested; %s came by time, every %s; max_wal_size is %s',
        s.num_timed,
        pg_catalog.current_setting('checkpoint_timeout'),
        pg_catalog.current_setting('max_wal_size')
    ) AS detail,
    'wnadmin config check' AS fix
FROM pg_catalog.pg_stat_checkpointer AS s;
