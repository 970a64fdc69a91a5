-- answers: Where do the rows of the operator ledger begin and end? (no row: the ledger is empty)
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: two index looks
WITH oldest AS (
    SELECT
        o.seq,
        o.prev
    FROM ONLY audit.operator_ledger AS o
    ORDER BY o.seq
    LIMIT 1
),

newest AS (
    SELECT
        o.seq,
        o.h
    FROM ONLY audit.operator_ledger AS o
    ORDER BY o.seq DESC
    LIMIT 1
)

SELECT
    f.seq AS first,
    f.prev,
    l.seq AS last,
    l.h
FROM oldest AS f
CROSS JOIN newest AS l;
