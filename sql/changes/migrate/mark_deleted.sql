-- does: marks an entry of the migration history as deleted, as Flyway's repair does for one whose file is missing
-- privileges: INSERT on public.flyway_schema_history
-- since: 15
-- cost: one row by its key
INSERT INTO public.flyway_schema_history (
    installed_rank,
    version,
    description,
    type,
    script,
    checksum,
    installed_by,
    execution_time,
    success
)
SELECT
    :'new_rank'::integer,
    h.version,
    h.description,
    'DELETE',
    h.script,
    h.checksum,
    current_user,
    0,
    h.success
FROM public.flyway_schema_history AS h
WHERE h.installed_rank = :'rank'::integer
    AND h.script = :'script'::text
    AND h.success
    AND NOT EXISTS (
        SELECT 1
        FROM public.flyway_schema_history AS l
        WHERE l.installed_rank >= :'new_rank'::integer
    );
