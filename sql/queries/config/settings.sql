-- answers: how do the named settings stand, where do their values come from, and what waits for a restart?
-- privileges: pg_read_all_settings to see all of them and the files; without it some rows are missing
-- since: 15
-- cost: one pass over the settings, no locks
-- What a session sets for itself hides the server's value; the caller leaves such settings alone.
SELECT
    s.name,
    s.setting,
    coalesce(s.unit, '') AS unit,
    s.vartype AS kind,
    s.context,
    s.source,
    s.boot_val AS built_in,
    coalesce(s.sourcefile, '') AS file,
    coalesce(s.sourceline, 0) AS line,
    s.pending_restart AS pending,
    s.name = ANY (:'names'::text[]) AS wanted
FROM pg_catalog.pg_settings AS s
WHERE
    s.name = ANY (:'names'::text[])
    OR s.pending_restart
ORDER BY s.name;
