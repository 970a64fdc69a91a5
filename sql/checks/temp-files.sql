-- answers: how much do queries write to temporary files within an hour, in which database?
-- title: Temporary files
-- area: memory
-- unit: bytes
-- warn: > 10GB
-- critical: > 100GB
-- rate: hour
-- preset: nightly
-- privileges: none
-- since: 15
-- cost: one row a database
SELECT
    pg_catalog.format('database %I', s.datname) AS object,
    s.temp_bytes::numeric AS measured,
    -- Where the counters were never reset they are at most as old as the cluster, whose identifier begins with its
    -- time of birth.
    coalesce(s.stats_reset, pg_catalog.to_timestamp((c.system_identifier >> 32)::double precision)) AS since,
    pg_catalog.format(
        'bytes of %s temporary files in all in %s; work_mem is %s',
        s.temp_files,
        s.datname,
        pg_catalog.current_setting('work_mem')
    ) AS detail,
    'wnadmin queries slow' AS fix
FROM pg_catalog.pg_stat_database AS s
CROSS JOIN pg_catalog.pg_control_system() AS c
WHERE s.datname IS NOT NULL
ORDER BY s.temp_bytes DESC, s.datname <> pg_catalog.current_database() ASC
LIMIT 50;
