-- does: gives an entry of the migration history the checksum, description and type of its file, as Flyway's repair does
-- privileges: UPDATE on public.flyway_schema_history
-- since: 15
-- cost: one row by its key
UPDATE public.flyway_schema_history AS h
SET
    checksum = nullif(:'checksum', '')::integer,
    description = :'description'::text,
    type = :'type'::text
WHERE h.installed_rank = :'rank'::integer
    AND h.checksum IS NOT DISTINCT FROM nullif(:'old_checksum', '')::integer
    AND h.description = :'old_description'::text
    AND h.type = :'old_type'::text
    AND h.success;
