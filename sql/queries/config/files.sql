-- answers: what do the configuration files say now about the named settings, and which lines are wrong?
-- privileges: superuser, or SELECT on pg_file_settings with EXECUTE on pg_show_all_file_settings()
-- since: 15
-- cost: reads and parses the configuration files
-- Values are given for the named settings only: others may hold a password.
SELECT
    coalesce(f.name, '') AS name,
    CASE WHEN f.name = ANY (:'names'::text[]) THEN f.setting END AS value,
    coalesce(f.sourcefile, '') AS file,
    coalesce(f.sourceline, 0) AS line,
    -- A later line for the same setting wins; this one is the last, as far as it can be read.
    f.seqno = pg_catalog.max(f.seqno) OVER (PARTITION BY f.name) AS last,
    coalesce(f.error, '') AS error
FROM pg_catalog.pg_file_settings AS f
WHERE
    f.error IS NOT NULL
    OR f.name = ANY (:'names'::text[])
ORDER BY f.seqno;
