-- answers: What does the connected database have that a restore without CREATE DATABASE would lose?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: catalog look-ups
SELECT
    d.datname::text AS name,
    pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
    pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
    d.datlocprovider::text AS provider,
    d.datcollate::text AS lc_collate,
    d.datctype::text AS lc_ctype,
    d.daticulocale::text AS locale,
    NULL::text AS icu_rules,
    d.datconnlimit AS connection_limit,
    (
        SELECT array_agg(a::text ORDER BY a::text) FROM unnest(d.datacl) AS a
    ) AS acl,
    pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database();
