-- does: records that the migration of RANK, begun without a transaction, has succeeded
-- privileges: UPDATE on public.flyway_schema_history
-- since: 15
-- cost: one row by its key
UPDATE public.flyway_schema_history AS h
SET
    success = TRUE,
    execution_time = :'milliseconds'::integer
WHERE h.installed_rank = :'rank'::integer
    AND h.checksum = :'checksum'::integer
    AND NOT h.success;
