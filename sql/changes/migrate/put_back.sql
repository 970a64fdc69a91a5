-- does: puts a failed entry back into the migration history, as it was before the repair
-- privileges: INSERT on public.flyway_schema_history
-- since: 15
-- cost: one row
INSERT INTO public.flyway_schema_history (
    installed_rank,
    version,
    description,
    type,
    script,
    checksum,
    installed_by,
    installed_on,
    execution_time,
    success
)
VALUES (
    :'rank'::integer,
    nullif(:'version', '')::text,
    :'description'::text,
    :'type'::text,
    :'script'::text,
    nullif(:'checksum', '')::integer,
    :'installed_by'::text,
    :'installed_on'::timestamp,
    :'milliseconds'::integer,
    FALSE
);
