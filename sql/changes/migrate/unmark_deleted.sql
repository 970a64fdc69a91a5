-- does: takes the mark "deleted" of an entry out of the migration history again
-- privileges: DELETE on public.flyway_schema_history
-- since: 15
-- cost: one row by its key
DELETE FROM public.flyway_schema_history AS h
WHERE h.installed_rank = :'rank'::integer
    AND h.script = :'script'::text
    AND h.type = 'DELETE';
