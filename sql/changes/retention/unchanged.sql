-- does: ends the transaction with an error unless the policy "policy" and the legal holds are as they were
-- privileges: SELECT on audit.data_retention_policies, core.users, family.families and family.child_profiles
-- since: 15
-- cost: a look at three small partial indexes
-- The last statement of each batch: by its division by zero the server takes the batch back, and nobody need be asked.
SELECT
    1 / CASE
        WHEN (
            SELECT
                pg_catalog.md5(
                    pg_catalog.concat_ws(
                        '|',
                        p.table_schema,
                        p.table_name,
                        p.time_column,
                        p.retention_period::text,
                        p.action,
                        p.is_active
                    )
                )
            FROM audit.data_retention_policies AS p
            WHERE p.policy_code = :'policy'::text
        ) = :'fingerprint'::text
        AND (
            SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(h.id::text, ',' ORDER BY h.id), ''))
            FROM (
                SELECT u.id
                FROM core.users AS u
                WHERE u.legal_hold
                UNION ALL
                SELECT f.id
                FROM family.families AS f
                WHERE f.legal_hold
                UNION ALL
                SELECT c.id
                FROM family.child_profiles AS c
                WHERE c.legal_hold
            ) AS h
        ) = :'holds'::text
            THEN 1
        ELSE 0
    END AS unchanged;
