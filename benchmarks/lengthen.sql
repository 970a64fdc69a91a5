-- Makes the ledger longer through its own function, in one transaction, with copies of its newest row.
DO $$
DECLARE
    v_template text;
    v_known text;
    v_op_id uuid;
BEGIN
    SELECT
        l.payload,
        l.op_id::text
    INTO STRICT v_template, v_known
    FROM audit.operator_ledger AS l
    WHERE l.phase = 'read'
    ORDER BY l.seq DESC
    LIMIT 1;
    FOR v_number IN 1 .. :rows LOOP
        v_op_id := gen_random_uuid();
        PERFORM audit.ledger_append(v_op_id, 'read', replace(v_template, v_known, v_op_id::text));
    END LOOP;
END
$$;
