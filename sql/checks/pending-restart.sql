-- answers: which settings were changed in a file and wait for a restart?
-- title: Settings that wait for a restart
-- area: settings
-- unit: level
-- warn: > 0
-- critical: > 1
-- needs: member:pg_read_all_settings
-- preset: nightly
-- none: no setting waits for a restart
-- privileges: pg_read_all_settings; some settings are hidden without it
-- since: 15
-- cost: one pass over the settings
SELECT
    s.name AS object,
    1::numeric AS measured,
    pg_catalog.pg_conf_load_time() AS since,
    pg_catalog.format(
        '%s is still %s%s until the server is restarted', s.name, s.setting, coalesce(' ' || s.unit, '')
    ) AS detail,
    'wnadmin config check' AS fix
FROM pg_catalog.pg_settings AS s
WHERE s.pending_restart
ORDER BY s.name
LIMIT 50;
