-- answers: Does the database named in "dbname" exist?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: one catalog look-up
SELECT
    b.datname::text AS name,
    pg_catalog.pg_get_userbyid(b.datdba)::text AS owner,
    pg_catalog.pg_encoding_to_char(b.encoding)::text AS encoding
FROM pg_catalog.pg_database AS b
WHERE b.datname = :'dbname'::text;
