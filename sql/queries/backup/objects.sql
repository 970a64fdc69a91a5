-- answers: How many large objects are there, and may this login read what is in them?
-- privileges: none beyond CONNECT; superuser, or SELECT on pg_largeobject, to read them
-- since: 15
-- cost: reads the list of large objects
SELECT
    (
        SELECT count(*) FROM pg_catalog.pg_largeobject_metadata
    ) AS count,
    pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') AS readable;
