-- answers: Do these rows of the operator ledger hold anything but exports of the ledger itself?
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: index scan of the range, until the first such row
SELECT
    EXISTS (
        SELECT 1
        FROM ONLY audit.operator_ledger AS l
        WHERE l.seq BETWEEN :'first'::bigint AND :'through'::bigint
            AND position('"command":"audit export"' IN l.payload) = 0
    ) AS anything;
