-- answers: Which entries of this chain were joined to the operator ledger? By the hash each had there.
-- note: what stands in front of a joined payload has a fixed form, and holds no quote but those of its keys and values.
-- privileges: SELECT on audit.operator_ledger (wondernest_operator has it)
-- since: 15
-- cost: one scan of the ledger
WITH cut AS (
    SELECT string_to_array(left(l.payload, 500), '"') AS part
    FROM ONLY audit.operator_ledger AS l
    WHERE l.payload LIKE '{"spooled\_at":"%'
)

SELECT c.part[18] AS h
FROM cut AS c
WHERE c.part[10] = :'chain'::text
    AND c.part[16] = 'h';
