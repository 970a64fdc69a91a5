-- does: removes a failed entry from the migration history, as Flyway's repair does
-- privileges: DELETE on public.flyway_schema_history
-- since: 15
-- cost: one row by its key
DELETE FROM public.flyway_schema_history AS h
WHERE h.installed_rank = :'rank'::integer
    AND h.script = :'script'::text
    AND NOT h.success;
