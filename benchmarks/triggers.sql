-- Three tables of children that differ in their trigger only; the caller rolls back.
CREATE SCHEMA bench_none;
CREATE SCHEMA bench_plain;
CREATE SCHEMA bench_audit;
CREATE TABLE bench_none.child_profiles (LIKE family.child_profiles INCLUDING DEFAULTS);
CREATE TABLE bench_plain.child_profiles (LIKE family.child_profiles INCLUDING DEFAULTS);
CREATE TABLE bench_audit.child_profiles (LIKE family.child_profiles INCLUDING DEFAULTS);

CREATE FUNCTION bench_plain.log_child()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO audit.activity_log (
            action, table_schema, table_name, row_id, user_id, child_id, family_id, changed, retention_until
        )
        VALUES (
            TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, OLD.id, current_setting('app.current_user_id')::uuid, OLD.id,
            OLD.family_id, to_jsonb(OLD), now() + INTERVAL '7 years'
        );
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO audit.activity_log (
            action, table_schema, table_name, row_id, user_id, child_id, family_id, changed, retention_until
        )
        VALUES (
            TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, NEW.id, current_setting('app.current_user_id')::uuid, NEW.id,
            NEW.family_id, jsonb_build_object('old', to_jsonb(OLD), 'new', to_jsonb(NEW)), now() + INTERVAL '7 years'
        );
    ELSE
        INSERT INTO audit.activity_log (
            action, table_schema, table_name, row_id, user_id, child_id, family_id, changed, retention_until
        )
        VALUES (
            TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, NEW.id, current_setting('app.current_user_id')::uuid, NEW.id,
            NEW.family_id, to_jsonb(NEW), now() + INTERVAL '7 years'
        );
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER child_profiles_plain
AFTER INSERT OR UPDATE OR DELETE ON bench_plain.child_profiles
FOR EACH ROW EXECUTE FUNCTION bench_plain.log_child();

CREATE TRIGGER child_profiles_audit
AFTER INSERT OR UPDATE OR DELETE ON bench_audit.child_profiles
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE TEMPORARY TABLE bench_rows AS
SELECT c.*
FROM family.child_profiles AS c
ORDER BY c.id
LIMIT 10000;
