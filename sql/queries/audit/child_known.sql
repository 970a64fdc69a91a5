-- answers: Is there such a child today?
-- privileges: SELECT on family.child_profiles without row-level security (BYPASSRLS or superuser)
-- personal: yes
-- since: 15
-- cost: one index look
SELECT
    EXISTS (
        SELECT 1
        FROM family.child_profiles AS c
        WHERE c.id = :'child_id'::uuid
    ) AS is_there;
