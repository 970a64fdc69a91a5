-- answers: How many rows are past the time of each retention policy, and since when?
-- privileges: EXECUTE on admin.get_retention_backlog(), which gives totals and times and no row of a person
-- since: 15
-- cost: by index or partition for each policy; a sample of a large table that has neither
SELECT
    b.policy_code AS code,
    b.overdue_rows AS overdue,
    b.oldest_due,
    b.evidence,
    b.detail
FROM admin.get_retention_backlog() AS b
ORDER BY b.policy_code;
