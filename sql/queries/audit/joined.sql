-- answers: How far was each other chain joined to the operator ledger, by which import?
-- note: what stands in front of a joined payload has a fixed form, and holds no quote but those of its keys and values.
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: one scan of the ledger
WITH cut AS (
    SELECT
        l.seq AS here,
        string_to_array(left(l.payload, 500), '"') AS part
    FROM ONLY audit.operator_ledger AS l
    WHERE l.payload LIKE '{"spooled\_at":"%'
),

joined AS (
    SELECT
        c.part[10] AS chain,
        c.part[14] AS token,
        CASE WHEN c.part[25] ~ '^:[1-9][0-9]{0,17},$' THEN btrim(c.part[25], ':,')::bigint END AS seq,
        c.part[18] AS h,
        c.here
    FROM cut AS c
    WHERE c.part[8] = 'at'
        AND c.part[12] = 'by'
        AND c.part[16] = 'h'
        AND c.part[24] = 'seq'
        AND c.part[18] ~ '^[0-9a-f]{64}$'
)

SELECT DISTINCT ON (j.chain, j.token)
    j.chain,
    j.token,
    j.seq,
    j.h,
    j.here
FROM joined AS j
WHERE j.seq IS NOT NULL
ORDER BY
    j.chain ASC,
    j.token ASC,
    j.here DESC;
