-- answers: May this login enforce retention here, and is the database in a state to be changed?
-- privileges: none
-- since: 15
-- cost: a catalog look
SELECT
    pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
    current_user::text AS login,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n
            ON n.oid = c.relnamespace
        WHERE n.nspname = 'audit'
            AND c.relname = 'data_retention_policies'
    ) AS has_policies,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = current_user
            AND (r.rolsuper OR r.rolbypassrls)
    ) AS sees_all_rows;
