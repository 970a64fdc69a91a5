-- answers: How far is the operator ledger old enough to be sealed? (before empty: as old as its policy wants)
-- personal: no
-- note: an operation is never cut in two; "held_by" is the one that reaches furthest beyond.
-- privileges: SELECT on audit.operator_ledger and audit.data_retention_policies (wondernest_operator has both)
-- since: 15
-- cost: one scan and one sort of the ledger
WITH policy AS (
    SELECT
        p.retention_period,
        least(now() - p.retention_period, nullif(:'before', '')::timestamptz) AS cut
    FROM audit.data_retention_policies AS p
    WHERE p.policy_code = 'audit.operator_ledger'
        AND p.is_active
        AND p.action IN ('archive', 'delete')
),

entry AS (
    SELECT
        l.seq,
        l.op_id,
        l.ts,
        l.phase
    FROM ONLY audit.operator_ledger AS l
),

begun AS (
    SELECT
        e.op_id,
        max(e.seq) FILTER (WHERE e.phase = 'intent') AS intent,
        max(e.seq) FILTER (WHERE e.phase = 'outcome') AS outcome,
        max(e.seq) AS last
    FROM entry AS e
    GROUP BY e.op_id
),

reach AS (
    SELECT
        e.seq,
        e.op_id,
        e.ts,
        -- Without its end an operation reaches into the future.
        CASE WHEN b.intent > coalesce(b.outcome, 0) THEN 9223372036854775807 ELSE b.last END AS last
    FROM entry AS e
    INNER JOIN begun AS b
        ON b.op_id = e.op_id
),

measured AS (
    SELECT
        r.seq,
        r.op_id,
        r.last,
        max(r.ts) OVER (ORDER BY r.seq) AS newest,
        max(r.last) OVER (ORDER BY r.seq) AS furthest
    FROM reach AS r
),

sealed AS (
    SELECT max(m.seq) AS through
    FROM measured AS m
    CROSS JOIN policy AS p
    WHERE m.newest < p.cut
        AND m.furthest <= m.seq
)

SELECT
    p.retention_period::text AS period,
    p.cut,
    s.through,
    (
        SELECT m.op_id
        FROM measured AS m
        WHERE m.newest < p.cut
            AND m.seq > coalesce(s.through, 0)
        ORDER BY
            m.last DESC,
            m.seq ASC
        LIMIT 1
    ) AS held_by,
    (SELECT min(e.ts) FROM entry AS e) AS oldest
FROM policy AS p
CROSS JOIN sealed AS s;
