-- answers: What do the policy "policy" and the legal holds of users, families and children stand at?
-- privileges: SELECT on audit.data_retention_policies, core.users, family.families and family.child_profiles
-- personal: no
-- since: 15
-- cost: a look at three small partial indexes
-- Asked at the start; unchanged.sql then compares after each batch.
SELECT
    (
        SELECT
            pg_catalog.md5(
                pg_catalog.concat_ws(
                    '|', p.table_schema, p.table_name, p.time_column, p.retention_period::text, p.action, p.is_active
                )
            )
        FROM audit.data_retention_policies AS p
        WHERE p.policy_code = :'policy'::text
    ) AS fingerprint,
    (
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
    ) AS holds;
