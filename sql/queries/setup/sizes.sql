-- answers: How many tables and bytes does each of the schemas named in "schemas" (comma-separated) have?
-- privileges: none beyond CONNECT
-- since: 15
-- cost: asks the file system for the size of every table; a second where there are ten years of partitions
SELECT
    n.nspname::text AS schema_name,
    count(*) FILTER (WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition) AS tables,
    count(*) FILTER (WHERE c.relispartition AND c.relkind = 'r') AS partitions,
    coalesce(sum(greatest(c.reltuples, 0)) FILTER (WHERE c.relkind = 'r'), 0)::bigint AS estimated_rows,
    coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)) FILTER (WHERE c.relkind IN ('r', 'm')), 0)::bigint AS bytes
FROM pg_catalog.pg_namespace AS n
LEFT JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = n.oid
WHERE n.nspname = ANY (string_to_array(:'schemas'::text, ','))
GROUP BY n.nspname
ORDER BY array_position(string_to_array(:'schemas'::text, ','), n.nspname::text);
