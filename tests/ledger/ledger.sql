DO $r$ BEGIN IF to_regrole('wondernest_audit_owner') IS NULL THEN CREATE ROLE wondernest_audit_owner NOLOGIN; END IF;
IF to_regrole('wondernest_operator') IS NULL THEN CREATE ROLE wondernest_operator NOLOGIN; END IF; END $r$;
CREATE SCHEMA IF NOT EXISTS audit;
CREATE TABLE audit.operator_ledger (
    seq bigint NOT NULL, ts timestamptz NOT NULL, op_id uuid NOT NULL, phase text NOT NULL,
    envelope text NOT NULL, payload text NOT NULL, prev bytea NOT NULL, h bytea NOT NULL,
    CONSTRAINT operator_ledger_pkey PRIMARY KEY (seq),
    CONSTRAINT operator_ledger_h_key UNIQUE (h),
    CHECK (phase IN ('intent', 'done', 'outcome', 'read', 'declined', 'dry_run', 'refused', 'checkpoint'))
);
CREATE INDEX ON audit.operator_ledger (op_id, seq);
CREATE INDEX ON audit.operator_ledger (ts);
CREATE TABLE audit.ledger_checkpoints (
    seq bigint NOT NULL REFERENCES audit.operator_ledger (seq), sink text NOT NULL, h bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(), note text, PRIMARY KEY (seq, sink)
);
CREATE TABLE audit.activity_log (
    id uuid NOT NULL DEFAULT gen_random_uuid(), "timestamp" timestamptz NOT NULL DEFAULT now(), action text NOT NULL,
    table_schema text NOT NULL, table_name text NOT NULL, row_id text, user_id uuid, subject_user_id uuid,
    child_id uuid, family_id uuid, session_role text NOT NULL DEFAULT session_user, user_agent text, client_addr inet,
    changed jsonb, erasure_attempt boolean NOT NULL DEFAULT false, retention_until timestamptz,
    legal_hold boolean NOT NULL DEFAULT false, identity_erased_at timestamptz, PRIMARY KEY (id, "timestamp")
);
CREATE FUNCTION audit.ledger_append(p_op_id uuid, p_phase text, p_payload text)
RETURNS TABLE (seq bigint, ts timestamptz, h bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $f$
#variable_conflict use_column
DECLARE v_seq bigint; v_prev bytea; v_ts timestamptz; v_env text; v_h bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(7301, 1);
    SELECT l.seq, l.h INTO v_seq, v_prev FROM audit.operator_ledger AS l ORDER BY l.seq DESC LIMIT 1;
    v_seq := coalesce(v_seq, 0) + 1;
    v_prev := coalesce(v_prev, decode(repeat('00', 32), 'hex'));
    v_ts := clock_timestamp();
    v_env := json_build_object('ts', v_ts, 'session_user', session_user, 'client_addr', inet_client_addr(),
        'backend_pid', pg_backend_pid(), 'txid', pg_current_xact_id()::text)::text;
    v_h := sha256(convert_to('wnadmin-ledger-v1', 'UTF8') || '\x00'::bytea || int8send(v_seq) || v_prev
        || int8send(octet_length(convert_to(v_env, 'UTF8'))::bigint) || convert_to(v_env, 'UTF8') || convert_to(p_payload, 'UTF8'));
    INSERT INTO audit.operator_ledger VALUES (v_seq, v_ts, p_op_id, p_phase, v_env, p_payload, v_prev, v_h);
    RETURN QUERY SELECT v_seq, v_ts, v_h;
END $f$;
CREATE FUNCTION audit.ledger_checkpoint(p_seq bigint, p_sink text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $f$ BEGIN
    INSERT INTO audit.ledger_checkpoints (seq, sink, h) SELECT l.seq, p_sink, l.h FROM audit.operator_ledger AS l WHERE l.seq = p_seq
    ON CONFLICT DO NOTHING;
END $f$;
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $f$ BEGIN RAISE EXCEPTION 'audit.operator_ledger is append-only' USING ERRCODE = '42501'; END $f$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.operator_ledger FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.operator_ledger FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.ledger_checkpoints FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.ledger_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.operator_ledger ENABLE ALWAYS TRIGGER no_change;
ALTER TABLE audit.operator_ledger ENABLE ALWAYS TRIGGER no_truncate;
ALTER TABLE audit.ledger_checkpoints ENABLE ALWAYS TRIGGER no_change;
ALTER TABLE audit.ledger_checkpoints ENABLE ALWAYS TRIGGER no_truncate;
ALTER TABLE audit.operator_ledger OWNER TO wondernest_audit_owner;
ALTER TABLE audit.ledger_checkpoints OWNER TO wondernest_audit_owner;
ALTER FUNCTION audit.ledger_append(uuid, text, text) OWNER TO wondernest_audit_owner;
ALTER FUNCTION audit.ledger_checkpoint(bigint, text) OWNER TO wondernest_audit_owner;
REVOKE ALL ON FUNCTION audit.ledger_append(uuid, text, text), audit.ledger_checkpoint(bigint, text) FROM PUBLIC;
GRANT USAGE ON SCHEMA audit TO wondernest_audit_owner, wondernest_operator;
GRANT EXECUTE ON FUNCTION audit.ledger_append(uuid, text, text), audit.ledger_checkpoint(bigint, text) TO wondernest_operator;
GRANT SELECT ON audit.operator_ledger, audit.ledger_checkpoints TO wondernest_operator;
