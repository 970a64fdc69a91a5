-- answers: How does the table with the OID "part" stand to the partitioned table with the OID "parent"?
-- privileges: none beyond CONNECT (catalogs only)
-- since: 15
-- cost: a catalog look
SELECT
    CASE
        WHEN c.oid IS NULL THEN 'gone'
        WHEN i.inhrelid IS NULL THEN 'detached'
        WHEN i.inhdetachpending THEN 'pending'
        ELSE 'attached'
    END AS standing,
    pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM (VALUES (:'part'::oid)) AS w (oid)
LEFT JOIN pg_catalog.pg_class AS c
    ON c.oid = w.oid
LEFT JOIN pg_catalog.pg_inherits AS i
    ON i.inhrelid = w.oid
    AND i.inhparent = :'parent'::oid;
