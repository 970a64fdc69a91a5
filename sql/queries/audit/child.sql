-- answers: What was changed about one child, newest first?
-- privileges: SELECT on audit.activity_log without row-level security (BYPASSRLS or superuser)
-- personal: yes
-- since: 15
-- cost: index scan on (child_id, timestamp) of every month kept
SELECT
    l.id,
    l."timestamp",
    l.action,
    l.table_schema,
    l.table_name,
    l.row_id,
    l.user_id,
    l.subject_user_id,
    l.child_id,
    l.family_id,
    l.session_role,
    l.user_agent,
    host(l.client_addr) AS client_addr,
    l.changed,
    l.erasure_attempt,
    l.retention_until,
    l.legal_hold,
    l.identity_erased_at
FROM audit.activity_log AS l
WHERE l.child_id = :'child_id'::uuid
ORDER BY l."timestamp" DESC;
