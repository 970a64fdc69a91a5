-- does: removes the newest entry of the migration history, after its rollback procedure has run
-- privileges: DELETE on public.flyway_schema_history
-- since: 15
-- cost: one row by its key
DELETE FROM public.flyway_schema_history AS h
WHERE h.installed_rank = :'rank'::integer
    AND h.checksum = :'checksum'::integer
    AND NOT EXISTS (
        SELECT 1
        FROM public.flyway_schema_history AS l
        WHERE l.installed_rank > h.installed_rank
    );
