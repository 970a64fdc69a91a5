-- 04_create_functions.sql: functions, views, materialized views and the first partitions.
-- Run after 03_create_indexes.sql. Safe to run again. PostgreSQL 15 to 19.
--
-- SECURITY DEFINER functions pin their search_path; owners and who may execute
-- what are set in 07_security_setup.sql. A function that takes a user, family
-- or child raises 42501 unless it belongs to the parent in app.current_user_id
-- or the login is a superuser or in wondernest_worker.
-- SQLSTATEs of our own: WN001 no consent, WN002 processing restricted, WN003
-- collection stopped, WN004 speech sessions switched off, WN005 no or wrong key.

SET client_min_messages = warning;
SET lock_timeout = '30s';
SET statement_timeout = 0;
SET search_path = pg_catalog, pg_temp;
SET standard_conforming_strings = on;
SET check_function_bodies = on;
SET row_security = off;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET default_table_access_method = heap;
SET default_tablespace = '';

-- These files build version 001. A database that has gone further belongs to
-- its migrations: running the files again could bring old definitions back.
DO $guard$
DECLARE
    v_later text;
BEGIN
    IF to_regclass('public.flyway_schema_history') IS NOT NULL THEN
        EXECUTE $query$
            SELECT max(h.version)
            FROM public.flyway_schema_history AS h
            WHERE h.success
                AND h.version ~ '^[0-9]+([.][0-9]+)*$'
                AND string_to_array(regexp_replace(h.version, '([.]0+)+$', ''), '.')::numeric[] > ARRAY[1]::numeric[]
        $query$
        INTO v_later;
        IF v_later IS NOT NULL THEN
            RAISE EXCEPTION 'this database is at migration %, the setup files build version 001 only', v_later
                USING ERRCODE = '55000',
                    HINT = 'Apply changes as migrations (V002 and later) instead of running files 01 to 07.';
        END IF;
    END IF;
END
$guard$;

-- ---------------------------------------------------------------------------
-- Who is asking
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.current_app_user_id()
RETURNS uuid
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN nullif(current_setting('app.current_user_id', true), '')::uuid;
COMMENT ON FUNCTION core.current_app_user_id() IS
'The parent on whose behalf the session works, from app.current_user_id; NULL without context.';

-- SECURITY DEFINER changes current_user, so rights of the caller are always
-- judged by session_user: the login, whatever role it has taken on since.
CREATE OR REPLACE FUNCTION core.is_trusted_caller()
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN coalesce(pg_has_role(session_user, to_regrole('wondernest_worker')::oid, 'USAGE'), false)
OR EXISTS (
    SELECT 1
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = session_user
        AND r.rolsuper
);
COMMENT ON FUNCTION core.is_trusted_caller() IS
'True when the login is a superuser or in wondernest_worker: it may name any user, family or child.';

CREATE OR REPLACE FUNCTION core.is_session_member(p_role text)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE held (role_oid) AS (
        SELECT r.oid
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = session_user
        UNION
        SELECT m.roleid
        FROM held AS h
        INNER JOIN pg_catalog.pg_auth_members AS m ON m.member = h.role_oid
    )
    SELECT EXISTS (
        SELECT 1
        FROM held AS h
        INNER JOIN pg_catalog.pg_roles AS r ON r.oid = h.role_oid
        WHERE r.rolname = p_role
    );
$$;
COMMENT ON FUNCTION core.is_session_member(text) IS
'True when the login was granted the role, directly or not. Being a superuser does not count.';

CREATE OR REPLACE FUNCTION core.require_user_context(p_user_id uuid)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_user_id = core.current_app_user_id() OR core.is_trusted_caller() THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'this user is not the one signed in'
        USING ERRCODE = '42501',
            HINT = 'Set app.current_user_id to the signed-in parent.';
END
$$;
COMMENT ON FUNCTION core.require_user_context(uuid) IS
'Raises 42501 unless the user is the one signed in or the caller is trusted.';

CREATE OR REPLACE FUNCTION family.my_family_ids()
RETURNS SETOF uuid
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 2
AS $$
    SELECT m.family_id
    FROM family.family_members AS m
    WHERE m.user_id = core.current_app_user_id();
$$;
COMMENT ON FUNCTION family.my_family_ids() IS
'Families of the signed-in parent; none without context. Policies compare with = ANY (ARRAY(SELECT …)).';

CREATE OR REPLACE FUNCTION family.my_child_ids()
RETURNS SETOF uuid
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 4
AS $$
    SELECT c.id
    FROM family.family_members AS m
    INNER JOIN family.child_profiles AS c ON c.family_id = m.family_id
    WHERE m.user_id = core.current_app_user_id();
$$;
COMMENT ON FUNCTION family.my_child_ids() IS
'Children in the families of the signed-in parent; none without context.';

CREATE OR REPLACE FUNCTION family.require_family_access(p_family_id uuid, p_role text DEFAULT 'viewer')
RETURNS void
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM family.family_members AS m
        WHERE m.family_id = p_family_id
            AND m.user_id = core.current_app_user_id()
            AND CASE p_role
                WHEN 'viewer' THEN true
                WHEN 'caregiver' THEN m.role IN ('caregiver', 'guardian')
                ELSE m.role = 'guardian'
            END
    ) THEN
        RETURN;
    END IF;
    -- One answer for "not yours" and "not there": nobody learns which keys exist.
    IF NOT core.is_trusted_caller() THEN
        RAISE EXCEPTION 'no such family of yours, or not with the role %', p_role
            USING ERRCODE = '42501',
                HINT = 'Set app.current_user_id to a member of the family.';
    END IF;
    IF NOT EXISTS (
        SELECT 1
        FROM family.families AS f
        WHERE f.id = p_family_id
    ) THEN
        RAISE EXCEPTION 'there is no family %', p_family_id
            USING ERRCODE = 'P0002';
    END IF;
END
$$;
COMMENT ON FUNCTION family.require_family_access(uuid, text) IS
'Raises 42501 unless the signed-in parent is a member with that role (viewer, caregiver, guardian) or the caller is trusted.';

CREATE OR REPLACE FUNCTION family.require_child_access(p_child_id uuid, p_role text DEFAULT 'viewer')
RETURNS void
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM family.child_profiles AS c
        INNER JOIN family.family_members AS m ON m.family_id = c.family_id
        WHERE c.id = p_child_id
            AND m.user_id = core.current_app_user_id()
            AND CASE p_role
                WHEN 'viewer' THEN true
                WHEN 'caregiver' THEN m.role IN ('caregiver', 'guardian')
                ELSE m.role = 'guardian'
            END
    ) THEN
        RETURN;
    END IF;
    IF NOT core.is_trusted_caller() THEN
        RAISE EXCEPTION 'no such child of yours, or not with the role %', p_role
            USING ERRCODE = '42501',
                HINT = 'Set app.current_user_id to a member of the child''s family.';
    END IF;
    IF NOT EXISTS (
        SELECT 1
        FROM family.child_profiles AS c
        WHERE c.id = p_child_id
    ) THEN
        RAISE EXCEPTION 'there is no child %', p_child_id
            USING ERRCODE = 'P0002';
    END IF;
END
$$;
COMMENT ON FUNCTION family.require_child_access(uuid, text) IS
'Raises 42501 unless the child is in a family where the signed-in parent has that role or the caller is trusted.';

-- ---------------------------------------------------------------------------
-- Encryption of sensitive free text
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.require_encryption_key()
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_key text := nullif(current_setting('app.encryption_key', true), '');
BEGIN
    IF v_key IS NULL THEN
        RAISE EXCEPTION 'no encryption key in this session'
            USING ERRCODE = 'WN005',
                HINT = 'Call set_config(''app.encryption_key'', $1, true) with a bound value; never SET, which puts the key into statistics.';
    END IF;
    IF length(v_key) < 16 THEN
        RAISE EXCEPTION 'the encryption key of this session is too short'
            USING ERRCODE = 'WN005',
                HINT = 'Use at least 16 characters, better 32 random bytes in base64.';
    END IF;
    RETURN v_key;
END
$$;
COMMENT ON FUNCTION core.require_encryption_key() IS
'The key of the session from app.encryption_key; raises WN005 without one.';

CREATE OR REPLACE FUNCTION core.encryption_key_id()
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(
        nullif(current_setting('app.encryption_key_id', true), ''),
        'sha256:' || left(encode(sha256(convert_to('wondernest-key-id:' || core.require_encryption_key(), 'UTF8')), 'hex'), 16)
    );
END
$$;
COMMENT ON FUNCTION core.encryption_key_id() IS
'Name of the key of the session: app.encryption_key_id, or else the begin of a hash of the key.';

CREATE OR REPLACE FUNCTION core.encrypt_text(p_text text)
RETURNS bytea
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN extensions.pgp_sym_encrypt(p_text, core.require_encryption_key(), 'cipher-algo=aes256, compress-algo=0');
END
$$;
COMMENT ON FUNCTION core.encrypt_text(text) IS
'The text encrypted with the key of the session; raises WN005 without a key. Store core.encryption_key_id() beside it.';

CREATE OR REPLACE FUNCTION core.decrypt_text(p_encrypted bytea, p_key_id text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_encrypted IS NULL THEN
        RETURN NULL;
    END IF;
    IF p_key_id IS DISTINCT FROM core.encryption_key_id() THEN
        RAISE EXCEPTION 'this text was encrypted with the key %, the session has the key %', p_key_id, core.encryption_key_id()
            USING ERRCODE = 'WN005';
    END IF;
    RETURN extensions.pgp_sym_decrypt(p_encrypted, core.require_encryption_key());
END
$$;
COMMENT ON FUNCTION core.decrypt_text(bytea, text) IS
'The text behind p_encrypted; raises WN005 without the key that p_key_id names.';

-- ---------------------------------------------------------------------------
-- Consent
-- ---------------------------------------------------------------------------

-- A session can set any wondernest.* value, so the strictness that an owner has
-- fixed for the database or the server stands above what the session says.
CREATE OR REPLACE FUNCTION family.verifiable_consent_required()
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(nullif(current_setting('wondernest.require_verifiable_consent', true), '')::boolean, false)
    OR EXISTS (
        SELECT 1
        FROM pg_catalog.pg_db_role_setting AS s
        WHERE s.setrole = 0
            AND s.setdatabase = (
                SELECT d.oid
                FROM pg_catalog.pg_database AS d
                WHERE d.datname = current_database()
            )
            AND s.setconfig && ARRAY[
                'wondernest.require_verifiable_consent=on',
                'wondernest.require_verifiable_consent=true',
                'wondernest.require_verifiable_consent=1',
                'wondernest.require_verifiable_consent=yes'
            ]
    );
$$;
COMMENT ON FUNCTION family.verifiable_consent_required() IS
'True when wondernest.require_verifiable_consent is on in the session or fixed by ALTER DATABASE.';

CREATE OR REPLACE FUNCTION family.collection_refusal(p_child_id uuid, p_consent_type text)
RETURNS text
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_restricted_at timestamptz;
    v_stopped_at timestamptz;
    v_verifiable boolean;
BEGIN
    SELECT
        c.processing_restricted_at,
        c.collection_stopped_at
    INTO v_restricted_at, v_stopped_at
    FROM family.child_profiles AS c
    WHERE c.id = p_child_id;
    IF NOT FOUND THEN
        RETURN 'WN001';
    END IF;
    IF v_restricted_at IS NOT NULL THEN
        RETURN 'WN002';
    END IF;
    IF v_stopped_at IS NOT NULL THEN
        RETURN 'WN003';
    END IF;
    SELECT bool_or(g.is_verifiable)
    INTO v_verifiable
    FROM family.guardian_consents AS g
    WHERE g.child_id = p_child_id
        AND g.consent_type = p_consent_type
        AND g.withdrawn_at IS NULL
        AND g.guardian_user_id IS NOT NULL;
    IF v_verifiable IS NULL THEN
        RETURN 'WN001';
    END IF;
    IF NOT v_verifiable AND family.verifiable_consent_required() THEN
        RETURN 'WN001';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION family.collection_refusal(uuid, text) IS
'NULL when data of that kind may be collected about the child, else the SQLSTATE that says why not.';

CREATE OR REPLACE FUNCTION family.assert_collection_allowed(
    p_child_id uuid,
    p_consent_type text DEFAULT 'data_collection'
)
RETURNS void
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_refusal text := family.collection_refusal(p_child_id, p_consent_type);
BEGIN
    IF v_refusal IS NULL THEN
        RETURN;
    END IF;
    -- Whoever may not see the child learns nothing about its consents either.
    IF NOT core.is_trusted_caller() AND NOT EXISTS (
        SELECT 1
        FROM family.my_child_ids() AS m(child_id)
        WHERE m.child_id = p_child_id
    ) THEN
        RAISE EXCEPTION 'no such child of yours'
            USING ERRCODE = '42501';
    END IF;
    IF v_refusal = 'WN002' THEN
        RAISE EXCEPTION 'processing is restricted for child %', p_child_id
            USING ERRCODE = 'WN002',
                HINT = 'See processing_restricted_at and restriction_reason of the profile.';
    END IF;
    IF v_refusal = 'WN003' THEN
        RAISE EXCEPTION 'a guardian stopped collection for child %', p_child_id
            USING ERRCODE = 'WN003',
                HINT = 'A guardian can allow it again with family.resume_collection.';
    END IF;
    RAISE EXCEPTION 'no valid consent of a guardian to % for child %', p_consent_type, p_child_id
        USING ERRCODE = 'WN001',
            HINT = 'A guardian gives it with family.record_consent; with wondernest.require_verifiable_consent only a verifiable method counts.';
END
$$;
COMMENT ON FUNCTION family.assert_collection_allowed(uuid, text) IS
'Raises WN001 (no consent), WN002 (restricted) or WN003 (collection stopped) when nothing may be collected about the child.';

CREATE OR REPLACE FUNCTION family.record_consent(
    p_child_id uuid,
    p_consent_type text,
    p_method text,
    p_policy_version text DEFAULT NULL,
    p_evidence_ref text DEFAULT NULL,
    p_guardian_user_id uuid DEFAULT NULL
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_guardian uuid := coalesce(p_guardian_user_id, core.current_app_user_id());
    v_consent_id uuid;
BEGIN
    PERFORM family.require_child_access(p_child_id, 'guardian');
    IF v_guardian IS NULL THEN
        RAISE EXCEPTION 'whose consent is it? name the guardian'
            USING ERRCODE = '22023';
    END IF;
    PERFORM core.require_user_context(v_guardian);
    IF p_method = 'operator_recorded' AND NOT core.is_trusted_caller() THEN
        RAISE EXCEPTION 'only operators record consents by the method operator_recorded'
            USING ERRCODE = '42501';
    END IF;
    IF NOT EXISTS (
        SELECT 1
        FROM family.child_profiles AS c
        INNER JOIN family.family_members AS m ON m.family_id = c.family_id
        WHERE c.id = p_child_id
            AND m.user_id = v_guardian
            AND m.can_consent
    ) THEN
        RAISE EXCEPTION 'this member may not consent for the child'
            USING ERRCODE = '42501';
    END IF;
    UPDATE family.guardian_consents AS g
    SET
        withdrawn_at = now(),
        withdrawn_by = v_guardian,
        withdrawal_reason = 'superseded'
    WHERE g.child_id = p_child_id
        AND g.consent_type = p_consent_type
        AND g.guardian_user_id = v_guardian
        AND g.withdrawn_at IS NULL;
    INSERT INTO family.guardian_consents (
        child_id, guardian_user_id, consent_type, method, policy_version, evidence_ref, recorded_by
    )
    VALUES (
        p_child_id,
        v_guardian,
        p_consent_type,
        p_method,
        coalesce(p_policy_version, nullif(current_setting('wondernest.consent_policy_version', true), ''), 'unspecified'),
        p_evidence_ref,
        session_user
    )
    RETURNING id INTO v_consent_id;
    -- A new consent cures the restriction that a leaving guardian caused, no other.
    UPDATE family.child_profiles AS c
    SET
        processing_restricted_at = NULL,
        restriction_reason = NULL
    WHERE c.id = p_child_id
        AND c.restriction_reason = 'consent_lapsed'
        AND p_consent_type = 'data_collection';
    RETURN v_consent_id;
END
$$;
COMMENT ON FUNCTION family.record_consent(uuid, text, text, text, text, uuid) IS
'Records the consent of the signed-in guardian (trusted callers may name one) and supersedes an earlier one.';

CREATE OR REPLACE FUNCTION family.withdraw_consent(
    p_child_id uuid,
    p_consent_type text DEFAULT NULL
)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count integer;
BEGIN
    PERFORM family.require_child_access(p_child_id, 'guardian');
    UPDATE family.guardian_consents AS g
    SET
        withdrawn_at = now(),
        withdrawn_by = core.current_app_user_id(),
        withdrawal_reason = CASE WHEN core.current_app_user_id() IS NULL THEN 'operator' ELSE 'guardian_request' END
    WHERE g.child_id = p_child_id
        AND (p_consent_type IS NULL OR g.consent_type = p_consent_type)
        AND g.withdrawn_at IS NULL;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION family.withdraw_consent(uuid, text) IS
'Ends the live consents for a child, of one type or all, whoever gave them: any guardian can stop. Returns how many.';

CREATE OR REPLACE FUNCTION family.stop_collection(p_child_id uuid)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM family.require_child_access(p_child_id, 'guardian');
    UPDATE family.child_profiles AS c
    SET collection_stopped_at = now()
    WHERE c.id = p_child_id
        AND c.collection_stopped_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION family.stop_collection(uuid) IS
'Refuses further collection about a child (COPPA 312.6); stored data stays. False when it was stopped already.';

CREATE OR REPLACE FUNCTION family.resume_collection(p_child_id uuid)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM family.require_child_access(p_child_id, 'guardian');
    UPDATE family.child_profiles AS c
    SET collection_stopped_at = NULL
    WHERE c.id = p_child_id
        AND c.collection_stopped_at IS NOT NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION family.resume_collection(uuid) IS
'Allows collection again; consent is still needed. False when it was not stopped.';

CREATE OR REPLACE FUNCTION family.restrict_processing(p_child_id uuid, p_reason text DEFAULT 'guardian_request')
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM family.require_child_access(p_child_id, 'guardian');
    UPDATE family.child_profiles AS c
    SET
        processing_restricted_at = now(),
        restriction_reason = p_reason
    WHERE c.id = p_child_id
        AND c.processing_restricted_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION family.restrict_processing(uuid, text) IS
'Restricts processing of a child''s data (GDPR Article 18). False when it was restricted already.';

CREATE OR REPLACE FUNCTION family.lift_restriction(p_child_id uuid)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM family.require_child_access(p_child_id, 'guardian');
    -- A guardian lifts what a guardian asked for; disputes and checks are lifted
    -- by operators, a lapsed consent by a new consent.
    UPDATE family.child_profiles AS c
    SET
        processing_restricted_at = NULL,
        restriction_reason = NULL
    WHERE c.id = p_child_id
        AND c.processing_restricted_at IS NOT NULL
        AND (c.restriction_reason = 'guardian_request' OR core.is_trusted_caller());
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION family.lift_restriction(uuid) IS
'Lifts a restriction that a guardian asked for; trusted callers lift any. False when nothing was lifted.';

-- ---------------------------------------------------------------------------
-- Accounts
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.create_user(
    p_email text,
    p_password_hash text,
    p_first_name text,
    p_last_name text,
    p_auth_provider text DEFAULT 'email',
    p_external_id text DEFAULT NULL,
    p_timezone text DEFAULT 'UTC'
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id uuid;
BEGIN
    IF coalesce(p_auth_provider, 'email') = 'email' AND p_password_hash IS NULL THEN
        RAISE EXCEPTION 'an account with e-mail sign-in needs a password hash'
            USING ERRCODE = '22023';
    END IF;
    INSERT INTO core.users (
        email, password_hash, first_name, last_name, auth_provider, external_id, timezone, password_changed_at
    )
    VALUES (
        trim(p_email),
        p_password_hash,
        p_first_name,
        p_last_name,
        coalesce(p_auth_provider, 'email')::core.auth_provider,
        p_external_id,
        coalesce(p_timezone, 'UTC'),
        CASE WHEN p_password_hash IS NOT NULL THEN now() END
    )
    RETURNING id INTO v_user_id;
    INSERT INTO core.user_preferences (user_id)
    VALUES (v_user_id);
    RETURN v_user_id;
END
$$;
COMMENT ON FUNCTION core.create_user(text, text, text, text, text, text, text) IS
'Makes a parent account and its preferences; needs no context. Raises 23505 when the address is taken.';

CREATE OR REPLACE FUNCTION core.find_login(p_email text)
RETURNS TABLE (
    user_id uuid,
    password_hash text,
    auth_provider text,
    external_id text,
    status text,
    locked_until timestamptz,
    email_verified boolean
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 1
AS $$
    SELECT
        u.id,
        u.password_hash,
        u.auth_provider::text,
        u.external_id,
        u.status,
        u.locked_until,
        u.email_verified_at IS NOT NULL
    FROM core.users AS u
    WHERE u.email_normalized = lower(trim(p_email));
$$;
COMMENT ON FUNCTION core.find_login(text) IS
'What the application needs to check a sign-in; needs no context. No row for an unknown address.';

CREATE OR REPLACE FUNCTION core.find_session(p_token_hash bytea)
RETURNS TABLE (
    session_id uuid,
    user_id uuid,
    expires_at timestamptz
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 1
AS $$
    SELECT
        s.id,
        s.user_id,
        s.expires_at
    FROM core.sessions AS s
    INNER JOIN core.users AS u ON u.id = s.user_id
    WHERE s.token_hash = p_token_hash
        AND s.revoked_at IS NULL
        AND s.expires_at > now()
        AND u.status = 'active';
$$;
COMMENT ON FUNCTION core.find_session(bytea) IS
'The valid session behind the SHA-256 of a token; needs no context. No row when expired, revoked or unknown.';

CREATE OR REPLACE FUNCTION core.request_password_reset(
    p_email text,
    p_token_hash bytea,
    p_valid_for interval DEFAULT '1 hour'
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id uuid;
BEGIN
    IF p_valid_for NOT BETWEEN INTERVAL '1 minute' AND INTERVAL '1 day' THEN
        RAISE EXCEPTION 'a password reset is valid between one minute and one day'
            USING ERRCODE = '22023';
    END IF;
    SELECT u.id
    INTO v_user_id
    FROM core.users AS u
    WHERE u.email_normalized = lower(trim(p_email))
        AND u.status = 'active'
        AND u.auth_provider = 'email';
    IF v_user_id IS NULL THEN
        RETURN false;
    END IF;
    -- Only the newest token works.
    UPDATE core.user_tokens AS t
    SET used_at = now()
    WHERE t.user_id = v_user_id
        AND t.purpose = 'password_reset'
        AND t.used_at IS NULL;
    INSERT INTO core.user_tokens (user_id, purpose, token_hash, expires_at)
    VALUES (v_user_id, 'password_reset', p_token_hash, now() + p_valid_for);
    RETURN true;
END
$$;
COMMENT ON FUNCTION core.request_password_reset(text, bytea, interval) IS
'Keeps the SHA-256 of a reset token for the account; needs no context. False when there is nobody to mail; never tell the visitor.';

CREATE OR REPLACE FUNCTION core.complete_password_reset(p_token_hash bytea, p_password_hash text)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id uuid;
BEGIN
    IF p_password_hash IS NULL THEN
        RAISE EXCEPTION 'a password reset needs the new password hash'
            USING ERRCODE = '22023';
    END IF;
    UPDATE core.user_tokens AS t
    SET used_at = now()
    WHERE t.token_hash = p_token_hash
        AND t.purpose = 'password_reset'
        AND t.used_at IS NULL
        AND t.expires_at > now()
    RETURNING t.user_id INTO v_user_id;
    IF v_user_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE core.users AS u
    SET
        password_hash = p_password_hash,
        password_changed_at = now(),
        failed_login_count = 0,
        locked_until = NULL
    WHERE u.id = v_user_id
        AND u.status = 'active';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Whoever knew the old password is signed out.
    UPDATE core.sessions AS s
    SET revoked_at = now()
    WHERE s.user_id = v_user_id
        AND s.revoked_at IS NULL;
    RETURN v_user_id;
END
$$;
COMMENT ON FUNCTION core.complete_password_reset(bytea, text) IS
'Uses a reset token once, sets the hash and ends all sessions; needs no context. NULL when the token is void.';

CREATE OR REPLACE FUNCTION core.cleanup_expired_sessions()
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count integer;
BEGIN
    -- What belongs to somebody on legal hold stays.
    DELETE FROM core.sessions AS s
    WHERE (s.expires_at < now() OR s.revoked_at < now() - INTERVAL '1 day')
        AND NOT EXISTS (
            SELECT 1
            FROM core.users AS u
            WHERE u.id = s.user_id
                AND u.legal_hold
        );
    GET DIAGNOSTICS v_count = ROW_COUNT;
    DELETE FROM core.user_tokens AS t
    WHERE t.expires_at < now() - INTERVAL '1 day'
        AND NOT EXISTS (
            SELECT 1
            FROM core.users AS u
            WHERE u.id = t.user_id
                AND u.legal_hold
        );
    DELETE FROM family.invitations AS i
    WHERE i.expires_at < now() - INTERVAL '30 days'
        AND NOT EXISTS (
            SELECT 1
            FROM family.families AS f
            WHERE f.id = i.family_id
                AND f.legal_hold
        )
        AND NOT EXISTS (
            SELECT 1
            FROM core.users AS u
            WHERE (u.id IN (i.invited_by, i.accepted_by) OR u.email_normalized = i.email_normalized)
                AND u.legal_hold
        );
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION core.cleanup_expired_sessions() IS
'Deletes sessions that expired or were revoked a day ago, and old tokens and invitations. Returns the number of sessions.';

-- ---------------------------------------------------------------------------
-- Families and children
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION family.create_family(p_user_id uuid, p_name text)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_timezone text;
    v_is_sample boolean;
    v_family_id uuid;
BEGIN
    PERFORM core.require_user_context(p_user_id);
    SELECT
        u.timezone,
        u.is_sample
    INTO v_timezone, v_is_sample
    FROM core.users AS u
    WHERE u.id = p_user_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no user %', p_user_id
            USING ERRCODE = 'P0002';
    END IF;
    INSERT INTO family.families (name, created_by, timezone, is_sample)
    VALUES (p_name, p_user_id, v_timezone, v_is_sample)
    RETURNING id INTO v_family_id;
    INSERT INTO family.family_members (family_id, user_id, role, can_consent)
    VALUES (v_family_id, p_user_id, 'guardian', true);
    RETURN v_family_id;
END
$$;
COMMENT ON FUNCTION family.create_family(uuid, text) IS
'Makes a family with the user as its first guardian. The user must be the one signed in.';

CREATE OR REPLACE FUNCTION family.create_child_profile(
    p_family_id uuid,
    p_first_name text,
    p_birth_date date,
    p_gender text DEFAULT NULL,
    p_language text DEFAULT 'en',
    p_interests text[] DEFAULT '{}',
    p_consent_method text DEFAULT NULL,
    p_consent_types text[] DEFAULT ARRAY['data_collection', 'audio_analysis', 'personalization'],
    p_policy_version text DEFAULT NULL
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_guardian uuid := core.current_app_user_id();
    v_method text := p_consent_method;
    v_child_id uuid;
    v_type text;
BEGIN
    PERFORM family.require_family_access(p_family_id, 'guardian');
    IF v_guardian IS NOT NULL AND v_method IS NULL THEN
        v_method := coalesce(nullif(current_setting('wondernest.consent_method', true), ''), 'self_declared');
    END IF;
    IF v_guardian IS NULL THEN
        -- An operator without context: the consent is the founder's, as the
        -- operator says; the method tells, and it never counts as verifiable.
        SELECT f.created_by
        INTO v_guardian
        FROM family.families AS f
        INNER JOIN family.family_members AS m ON m.family_id = f.id AND m.user_id = f.created_by AND m.can_consent
        WHERE f.id = p_family_id;
        v_method := coalesce(v_method, 'operator_recorded');
    END IF;
    INSERT INTO family.child_profiles (
        family_id, first_name, birth_date, gender, primary_language, interests, is_sample
    )
    SELECT
        f.id,
        p_first_name,
        p_birth_date,
        p_gender,
        coalesce(p_language, 'en'),
        coalesce(p_interests, '{}'),
        f.is_sample
    FROM family.families AS f
    WHERE f.id = p_family_id
    RETURNING id INTO v_child_id;
    INSERT INTO safety.parental_controls (child_id, updated_by)
    VALUES (v_child_id, core.current_app_user_id());
    IF v_guardian IS NOT NULL THEN
        FOREACH v_type IN ARRAY coalesce(p_consent_types, '{}') LOOP
            PERFORM family.record_consent(v_child_id, v_type, v_method, p_policy_version, NULL, v_guardian);
        END LOOP;
    END IF;
    RETURN v_child_id;
END
$$;
COMMENT ON FUNCTION family.create_child_profile(uuid, text, date, text, text, text[], text, text[], text) IS
'Makes a child profile with default controls and records the signed-in guardian''s consents with their method.';

CREATE OR REPLACE FUNCTION family.invite_member(
    p_family_id uuid,
    p_email text,
    p_role text,
    p_token_hash bytea,
    p_valid_for interval DEFAULT '7 days'
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_invitation_id uuid;
BEGIN
    PERFORM family.require_family_access(p_family_id, 'guardian');
    IF p_valid_for NOT BETWEEN INTERVAL '1 minute' AND INTERVAL '30 days' THEN
        RAISE EXCEPTION 'an invitation is valid between one minute and 30 days'
            USING ERRCODE = '22023';
    END IF;
    INSERT INTO family.invitations (family_id, invited_by, email, role, token_hash, expires_at)
    VALUES (p_family_id, core.current_app_user_id(), trim(p_email), p_role, p_token_hash, now() + p_valid_for)
    RETURNING id INTO v_invitation_id;
    RETURN v_invitation_id;
END
$$;
COMMENT ON FUNCTION family.invite_member(uuid, text, text, bytea, interval) IS
'Keeps the SHA-256 of an invitation token for an address. A guardian of the family must be signed in.';

CREATE OR REPLACE FUNCTION family.accept_invitation(p_token_hash bytea)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_invitation record;
    v_user_id uuid;
BEGIN
    SELECT
        i.id,
        i.family_id,
        i.role,
        i.email_normalized
    INTO v_invitation
    FROM family.invitations AS i
    WHERE i.token_hash = p_token_hash
        AND i.accepted_at IS NULL
        AND i.revoked_at IS NULL
        AND i.expires_at > now()
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- The token alone is not enough: the account must have the invited address.
    SELECT u.id
    INTO v_user_id
    FROM core.users AS u
    WHERE u.email_normalized = v_invitation.email_normalized
        AND u.status = 'active';
    IF v_user_id IS NULL OR v_user_id IS DISTINCT FROM coalesce(core.current_app_user_id(), v_user_id) THEN
        RETURN NULL;
    END IF;
    INSERT INTO family.family_members (family_id, user_id, role, can_consent)
    VALUES (v_invitation.family_id, v_user_id, v_invitation.role, v_invitation.role = 'guardian')
    ON CONFLICT ON CONSTRAINT family_members_pkey DO NOTHING;
    UPDATE family.invitations AS i
    SET
        accepted_at = now(),
        accepted_by = v_user_id
    WHERE i.id = v_invitation.id;
    RETURN v_invitation.family_id;
END
$$;
COMMENT ON FUNCTION family.accept_invitation(bytea) IS
'Joins the account with the invited address to the family; needs no context. Returns the family, NULL when the token is void.';

CREATE OR REPLACE FUNCTION family.add_child_note(p_child_id uuid, p_note text)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_note_id uuid;
BEGIN
    PERFORM family.require_child_access(p_child_id, 'caregiver');
    INSERT INTO family.child_notes (child_id, author_id, note_encrypted, note_key_id)
    VALUES (p_child_id, core.current_app_user_id(), core.encrypt_text(p_note), core.encryption_key_id())
    RETURNING id INTO v_note_id;
    RETURN v_note_id;
END
$$;
COMMENT ON FUNCTION family.add_child_note(uuid, text) IS
'Stores an encrypted note about a child; raises WN005 without a key.';

CREATE OR REPLACE FUNCTION family.get_child_notes(p_child_id uuid)
RETURNS TABLE (
    note_id uuid,
    author_id uuid,
    note text,
    created_at timestamptz
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM family.require_child_access(p_child_id, 'viewer');
    PERFORM core.require_encryption_key();
    RETURN QUERY
    SELECT
        n.id,
        n.author_id,
        core.decrypt_text(n.note_encrypted, n.note_key_id),
        n.created_at
    FROM family.child_notes AS n
    WHERE n.child_id = p_child_id
    ORDER BY n.created_at DESC, n.id;
END
$$;
COMMENT ON FUNCTION family.get_child_notes(uuid) IS
'Notes about a child in clear text, newest first; raises WN005 without their key.';

-- ---------------------------------------------------------------------------
-- Content
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION content.age_in_months(p_birth_date date, p_on date)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN (
    extract(YEAR FROM age(p_on::timestamp, p_birth_date::timestamp)) * 12
    + extract(MONTH FROM age(p_on::timestamp, p_birth_date::timestamp))
)::integer;
COMMENT ON FUNCTION content.age_in_months(date, date) IS
'Completed months of life on a day.';

-- Candidates come from content.item_age_bands in the order of an index, so the
-- work depends on the limit and not on the size of the library. One of the two
-- branches runs, each with its own index, so one plan serves all calls: planning
-- anew would take longer than the query. The filters are one CASE, or the
-- planner would multiply their guesses, expect no rows and sort the whole band.
-- Topics are looked up by scalar subqueries: a join or EXISTS may become a hash
-- of every item of a topic.
CREATE OR REPLACE FUNCTION content.get_age_appropriate_content(
    child_id uuid,
    p_content_type text DEFAULT NULL,
    p_limit integer DEFAULT 20
)
RETURNS TABLE (
    item_id uuid,
    title text,
    description text,
    content_type text,
    language text,
    min_age_months integer,
    max_age_months integer,
    duration_seconds integer,
    source_url text,
    thumbnail_url text,
    matches_interests boolean,
    score numeric
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
ROWS 20
AS $$
#variable_conflict use_column
DECLARE
    v_child_id uuid := $1;
    v_age_months integer;
    v_age_year integer;
    v_languages text[];
    v_liked_categories uuid[];
    v_safety_level integer;
    v_blocked_types text[];
    v_blocked_categories uuid[];
    v_pool integer := greatest(p_limit * 2, 40);
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 500 THEN
        RAISE EXCEPTION 'p_limit must be between 1 and 500'
            USING ERRCODE = '22023';
    END IF;
    PERFORM family.require_child_access(v_child_id, 'viewer');
    SELECT
        content.age_in_months(c.birth_date, (now() AT TIME ZONE f.timezone)::date),
        ARRAY[c.primary_language::text, split_part(c.primary_language, '-', 1), 'zxx'],
        ARRAY(
            SELECT k.id
            FROM content.categories AS k
            WHERE k.slug = ANY (c.interests)
        ),
        coalesce(p.max_safety_level, 5),
        coalesce(p.blocked_content_types, '{}'),
        coalesce(p.blocked_category_ids, '{}')
    INTO v_age_months, v_languages, v_liked_categories, v_safety_level, v_blocked_types, v_blocked_categories
    FROM family.child_profiles AS c
    INNER JOIN family.families AS f ON f.id = c.family_id
    LEFT JOIN safety.parental_controls AS p ON p.child_id = c.id
    WHERE c.id = v_child_id;
    v_age_year := v_age_months / 12;
    IF p_content_type = ANY (v_blocked_types) THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH candidates AS (
        SELECT
            b.item_id,
            b.rank_score
        FROM (SELECT DISTINCT unnest(v_languages) AS tag) AS l
        CROSS JOIN LATERAL (
            (
                SELECT
                    band.item_id,
                    band.rank_score
                FROM content.item_age_bands AS band
                WHERE p_content_type IS NULL
                    AND band.age_year = v_age_year
                    AND band.language = l.tag
                    AND CASE
                        WHEN band.min_age_months > v_age_months OR band.max_age_months < v_age_months THEN false
                        WHEN band.safety_level > v_safety_level OR band.content_type = ANY (v_blocked_types) THEN false
                        WHEN v_blocked_categories = '{}' THEN true
                        ELSE (
                            SELECT true
                            FROM content.item_categories AS x
                            WHERE x.item_id = band.item_id
                                AND x.category_id = ANY (v_blocked_categories)
                            LIMIT 1
                        ) IS NULL
                    END
                ORDER BY band.rank_score DESC, band.item_id
                LIMIT v_pool
            )
            UNION ALL
            (
                SELECT
                    band.item_id,
                    band.rank_score
                FROM content.item_age_bands AS band
                WHERE p_content_type IS NOT NULL
                    AND band.content_type = p_content_type
                    AND band.age_year = v_age_year
                    AND band.language = l.tag
                    AND CASE
                        WHEN band.min_age_months > v_age_months OR band.max_age_months < v_age_months THEN false
                        WHEN band.safety_level > v_safety_level OR band.content_type = ANY (v_blocked_types) THEN false
                        WHEN v_blocked_categories = '{}' THEN true
                        ELSE (
                            SELECT true
                            FROM content.item_categories AS x
                            WHERE x.item_id = band.item_id
                                AND x.category_id = ANY (v_blocked_categories)
                            LIMIT 1
                        ) IS NULL
                    END
                ORDER BY band.rank_score DESC, band.item_id
                LIMIT v_pool
            )
        ) AS b
    ),

    scored AS MATERIALIZED (
        SELECT
            c.item_id,
            c.rank_score,
            coalesce(
                (
                    SELECT true
                    FROM content.item_categories AS ic
                    WHERE ic.item_id = c.item_id
                        AND ic.category_id = ANY (v_liked_categories)
                    LIMIT 1
                ),
                false
            ) AS liked
        FROM candidates AS c
    ),

    best AS (
        SELECT
            s.item_id,
            s.liked,
            s.rank_score + CASE WHEN s.liked THEN 0.15 ELSE 0 END AS final_score
        FROM scored AS s
        ORDER BY final_score DESC, s.item_id
        LIMIT p_limit
    )

    SELECT
        i.id,
        i.title,
        i.description,
        i.content_type,
        i.language::text,
        i.min_age_months::integer,
        i.max_age_months::integer,
        i.duration_seconds,
        i.source_url,
        i.thumbnail_url,
        b.liked,
        b.final_score
    FROM best AS b
    INNER JOIN content.items AS i ON i.id = b.item_id
    ORDER BY b.final_score DESC, i.id;
END
$$;
COMMENT ON FUNCTION content.get_age_appropriate_content(uuid, text, integer) IS
'Approved items for the child''s age, language, controls and interests, best first.';

CREATE OR REPLACE FUNCTION content.sync_age_bands()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- A new score is the common case and needs no new rows.
        IF (NEW.status, NEW.content_type, NEW.language, NEW.min_age_months, NEW.max_age_months, NEW.safety_level)
            IS NOT DISTINCT FROM
            (OLD.status, OLD.content_type, OLD.language, OLD.min_age_months, OLD.max_age_months, OLD.safety_level)
        THEN
            IF NEW.status = 'approved' AND NEW.rank_score IS DISTINCT FROM OLD.rank_score THEN
                UPDATE content.item_age_bands AS b
                SET rank_score = NEW.rank_score
                WHERE b.item_id = NEW.id;
            END IF;
            RETURN NULL;
        END IF;
        DELETE FROM content.item_age_bands AS b
        WHERE b.item_id = NEW.id;
    END IF;
    IF NEW.status = 'approved' THEN
        INSERT INTO content.item_age_bands (
            item_id, age_year, content_type, language, min_age_months, max_age_months, safety_level, rank_score
        )
        SELECT
            NEW.id,
            y.age_year,
            NEW.content_type,
            NEW.language,
            NEW.min_age_months,
            NEW.max_age_months,
            NEW.safety_level,
            NEW.rank_score
        FROM generate_series(NEW.min_age_months / 12, NEW.max_age_months / 12) AS y(age_year);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION content.sync_age_bands() IS
'Trigger of content.items: keeps content.item_age_bands equal to the approved items.';

-- ---------------------------------------------------------------------------
-- Speech sessions
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION audio.start_session(
    p_child_id uuid,
    p_location text DEFAULT 'home',
    p_device text DEFAULT NULL
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_session_id uuid;
BEGIN
    PERFORM family.require_child_access(p_child_id, 'caregiver');
    IF EXISTS (
        SELECT 1
        FROM safety.parental_controls AS p
        WHERE p.child_id = p_child_id
            AND NOT p.audio_monitoring_enabled
    ) THEN
        RAISE EXCEPTION 'a guardian switched speech sessions off for child %', p_child_id
            USING ERRCODE = 'WN004';
    END IF;
    -- A device measures one session at a time: what it left open was lost.
    UPDATE audio.sessions AS s
    SET
        status = 'abandoned',
        ended_at = v_now
    WHERE s.child_id = p_child_id
        AND s.started_at > v_now - INTERVAL '2 days'
        AND s.started_at <= v_now
        AND s.status = 'active'
        AND s.device IS NOT DISTINCT FROM p_device;
    INSERT INTO audio.sessions (child_id, started_at, location, device)
    VALUES (p_child_id, v_now, coalesce(p_location, 'home'), p_device)
    RETURNING id INTO v_session_id;
    RETURN v_session_id;
END
$$;
COMMENT ON FUNCTION audio.start_session(uuid, text, text) IS
'Begins a speech session. Raises WN001 to WN003 without consent, WN004 when a guardian switched sessions off.';

CREATE OR REPLACE FUNCTION audio.end_session(
    p_session_id uuid,
    p_quality_score numeric DEFAULT NULL
)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_from timestamptz := clock_timestamp() - INTERVAL '2 days';
    v_child_id uuid;
    v_started_at timestamptz;
    v_status text;
    v_date date;
    v_restricted boolean;
BEGIN
    IF p_quality_score NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'the quality score lies between 0 and 1'
            USING ERRCODE = '22023';
    END IF;
    -- The bounds let the planner look at two partitions at most. No session
    -- lasts longer: the archive job closes what was never ended.
    SELECT
        s.child_id,
        s.started_at,
        s.status
    INTO v_child_id, v_started_at, v_status
    FROM audio.sessions AS s
    WHERE s.id = p_session_id
        AND s.started_at > v_from
        AND s.started_at <= v_now
    FOR UPDATE;
    IF v_child_id IS NULL THEN
        IF NOT core.is_trusted_caller() THEN
            RAISE EXCEPTION 'no such session of yours in the last two days'
                USING ERRCODE = '42501';
        END IF;
        RAISE EXCEPTION 'no session % in the last two days', p_session_id
            USING ERRCODE = 'P0002';
    END IF;
    PERFORM family.require_child_access(v_child_id, 'caregiver');
    IF v_status <> 'active' THEN
        RAISE EXCEPTION 'session % has ended already', p_session_id
            USING ERRCODE = '55000';
    END IF;
    UPDATE audio.sessions AS s
    SET
        status = 'completed',
        ended_at = v_now,
        quality_score = p_quality_score
    WHERE s.id = p_session_id
        AND s.started_at = v_started_at;
    -- Ending must always work; computing must not while processing is restricted.
    SELECT
        (v_started_at AT TIME ZONE f.timezone)::date,
        c.processing_restricted_at IS NOT NULL
    INTO v_date, v_restricted
    FROM family.child_profiles AS c
    INNER JOIN family.families AS f ON f.id = c.family_id
    WHERE c.id = v_child_id;
    IF NOT v_restricted THEN
        PERFORM analytics.calculate_daily_metrics(v_child_id, v_date);
    END IF;
    RETURN extract(EPOCH FROM v_now - v_started_at)::integer;
END
$$;
COMMENT ON FUNCTION audio.end_session(uuid, numeric) IS
'Ends an open speech session of the last two days, brings the metrics of its day up to date and returns its length in seconds.';

CREATE OR REPLACE FUNCTION audio.archive_old_sessions(
    p_days integer DEFAULT 90,
    p_limit integer DEFAULT NULL
)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_before timestamptz;
    v_count integer;
BEGIN
    IF p_days IS NULL OR p_days < 3 THEN
        RAISE EXCEPTION 'sessions are archived after three days at the earliest'
            USING ERRCODE = '22023';
    END IF;
    v_before := now() - make_interval(days => p_days);
    WITH doomed AS (
        SELECT
            s.id,
            s.child_id,
            s.started_at,
            s.ended_at,
            s.location,
            CASE WHEN s.status = 'active' THEN 'abandoned' ELSE s.status END AS status,
            s.quality_score
        FROM audio.sessions AS s
        WHERE s.started_at < v_before
            -- Their metrics would go: not those of a child or family on legal hold.
            AND NOT EXISTS (
                SELECT 1
                FROM family.child_profiles AS c
                INNER JOIN family.families AS f ON f.id = c.family_id
                WHERE c.id = s.child_id
                    AND (c.legal_hold OR f.legal_hold)
            )
        ORDER BY s.started_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ),

    kept AS (
        INSERT INTO audio.session_archive (
            session_id, child_id, started_at, ended_at, location, status, quality_score,
            measured_seconds, adult_word_count, child_vocalization_count, conversational_turns, media_seconds
        )
        SELECT
            d.id,
            d.child_id,
            d.started_at,
            d.ended_at,
            d.location,
            d.status,
            d.quality_score,
            coalesce(m.measured_seconds, 0),
            coalesce(m.adult_word_count, 0),
            coalesce(m.child_vocalization_count, 0),
            coalesce(m.conversational_turns, 0),
            coalesce(m.media_seconds, 0)
        FROM doomed AS d
        LEFT JOIN LATERAL (
            SELECT
                sum(x.window_seconds) AS measured_seconds,
                sum(x.adult_word_count) AS adult_word_count,
                sum(x.child_vocalization_count) AS child_vocalization_count,
                sum(x.conversational_turns) AS conversational_turns,
                sum(x.media_seconds) AS media_seconds
            FROM audio.speech_metrics AS x
            WHERE x.session_id = d.id
                AND x.session_started_at = d.started_at
        ) AS m ON true
        ON CONFLICT ON CONSTRAINT session_archive_pkey DO NOTHING
    )

    DELETE FROM audio.sessions AS s
    USING doomed AS d
    WHERE s.id = d.id
        AND s.started_at = d.started_at;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION audio.archive_old_sessions(integer, integer) IS
'Moves sessions older than so many days into audio.session_archive with the sums of their metrics. Returns how many.';

-- ---------------------------------------------------------------------------
-- Analytics
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION analytics.calculate_daily_metrics(p_child_id uuid, p_date date)
RETURNS analytics.daily_child_metrics
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_from timestamptz;
    v_to timestamptz;
    v_birth_date date;
    v_restricted boolean;
    v_row analytics.daily_child_metrics;
BEGIN
    IF p_date IS NULL THEN
        RAISE EXCEPTION 'which day? p_date is missing'
            USING ERRCODE = '22004';
    END IF;
    PERFORM family.require_child_access(p_child_id, 'viewer');
    -- The family's day, as instants: partitions are cut in UTC.
    SELECT
        p_date::timestamp AT TIME ZONE f.timezone,
        (p_date + 1)::timestamp AT TIME ZONE f.timezone,
        c.birth_date,
        c.processing_restricted_at IS NOT NULL
    INTO v_from, v_to, v_birth_date, v_restricted
    FROM family.child_profiles AS c
    INNER JOIN family.families AS f ON f.id = c.family_id
    WHERE c.id = p_child_id;
    IF v_restricted THEN
        RAISE EXCEPTION 'processing is restricted for child %', p_child_id
            USING ERRCODE = 'WN002';
    END IF;

    v_row.child_id := p_child_id;
    v_row.metric_date := p_date;
    v_row.age_months := greatest(content.age_in_months(v_birth_date, p_date), 0)::smallint;
    v_row.calculated_at := clock_timestamp();

    SELECT
        coalesce(sum(e.duration_seconds), 0)::integer,
        count(*)::integer,
        count(*) FILTER (WHERE e.completed)::integer,
        count(DISTINCT e.item_id)::integer,
        coalesce(sum(e.interaction_count), 0)::integer
    INTO v_row.screen_seconds, v_row.items_started, v_row.items_completed, v_row.distinct_items, v_row.interaction_count
    FROM content.engagement AS e
    WHERE e.child_id = p_child_id
        AND e.started_at >= v_from
        AND e.started_at < v_to;

    -- Sessions move to the archive in time; a day computed again counts both.
    SELECT
        count(*)::integer,
        coalesce(round(sum(extract(EPOCH FROM s.ended_at - s.started_at))), 0)::integer,
        round(avg(s.quality_score), 4)::core.unit_interval
    INTO v_row.audio_sessions, v_row.audio_seconds, v_row.mean_quality_score
    FROM (
        SELECT
            live.started_at,
            live.ended_at,
            live.quality_score
        FROM audio.sessions AS live
        WHERE live.child_id = p_child_id
            AND live.started_at >= v_from
            AND live.started_at < v_to
        UNION ALL
        SELECT
            old.started_at,
            old.ended_at,
            old.quality_score
        FROM audio.session_archive AS old
        WHERE old.child_id = p_child_id
            AND old.started_at >= v_from
            AND old.started_at < v_to
    ) AS s;

    SELECT
        coalesce(sum(m.adult_word_count), 0)::integer,
        coalesce(sum(m.child_vocalization_count), 0)::integer,
        coalesce(sum(m.conversational_turns), 0)::integer,
        coalesce(sum(m.media_seconds), 0)::integer
    INTO v_row.adult_word_count, v_row.child_vocalization_count, v_row.conversational_turns, v_row.media_seconds
    FROM (
        SELECT
            live.adult_word_count,
            live.child_vocalization_count,
            live.conversational_turns,
            live.media_seconds
        FROM audio.speech_metrics AS live
        WHERE live.child_id = p_child_id
            AND live.session_started_at >= v_from
            AND live.session_started_at < v_to
        UNION ALL
        SELECT
            old.adult_word_count,
            old.child_vocalization_count,
            old.conversational_turns,
            old.media_seconds
        FROM audio.session_archive AS old
        WHERE old.child_id = p_child_id
            AND old.started_at >= v_from
            AND old.started_at < v_to
    ) AS m;

    INSERT INTO analytics.daily_child_metrics AS d (
        child_id, metric_date, age_months, screen_seconds, items_started, items_completed, distinct_items,
        interaction_count, audio_sessions, audio_seconds, adult_word_count, child_vocalization_count,
        conversational_turns, media_seconds, mean_quality_score, calculated_at
    )
    VALUES (
        v_row.child_id, v_row.metric_date, v_row.age_months, v_row.screen_seconds, v_row.items_started,
        v_row.items_completed, v_row.distinct_items, v_row.interaction_count, v_row.audio_sessions,
        v_row.audio_seconds, v_row.adult_word_count, v_row.child_vocalization_count, v_row.conversational_turns,
        v_row.media_seconds, v_row.mean_quality_score, v_row.calculated_at
    )
    ON CONFLICT ON CONSTRAINT daily_child_metrics_pkey DO UPDATE
    SET
        age_months = excluded.age_months,
        screen_seconds = excluded.screen_seconds,
        items_started = excluded.items_started,
        items_completed = excluded.items_completed,
        distinct_items = excluded.distinct_items,
        interaction_count = excluded.interaction_count,
        audio_sessions = excluded.audio_sessions,
        audio_seconds = excluded.audio_seconds,
        adult_word_count = excluded.adult_word_count,
        child_vocalization_count = excluded.child_vocalization_count,
        conversational_turns = excluded.conversational_turns,
        media_seconds = excluded.media_seconds,
        mean_quality_score = excluded.mean_quality_score,
        calculated_at = excluded.calculated_at;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION analytics.calculate_daily_metrics(uuid, date) IS
'Computes and stores the metrics of a child for a day of the family''s time zone; running it again gives the same row.';

CREATE OR REPLACE FUNCTION analytics.get_child_insights(p_child_id uuid, p_days integer DEFAULT 30)
RETURNS TABLE (
    metric text,
    unit text,
    days_measured integer,
    current_value numeric,
    previous_value numeric,
    change_percent numeric,
    trend text
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 8
AS $$
#variable_conflict use_column
DECLARE
    v_today date;
    v_restricted boolean;
BEGIN
    IF p_days IS NULL OR p_days NOT BETWEEN 1 AND 366 THEN
        RAISE EXCEPTION 'p_days must be between 1 and 366'
            USING ERRCODE = '22023';
    END IF;
    PERFORM family.require_child_access(p_child_id, 'viewer');
    SELECT
        (now() AT TIME ZONE f.timezone)::date,
        c.processing_restricted_at IS NOT NULL
    INTO v_today, v_restricted
    FROM family.child_profiles AS c
    INNER JOIN family.families AS f ON f.id = c.family_id
    WHERE c.id = p_child_id;
    IF v_restricted THEN
        RAISE EXCEPTION 'processing is restricted for child %', p_child_id
            USING ERRCODE = 'WN002';
    END IF;
    RETURN QUERY
    WITH days AS (
        SELECT
            d.*,
            d.metric_date > v_today - p_days AS is_current
        FROM analytics.daily_child_metrics AS d
        WHERE d.child_id = p_child_id
            AND d.metric_date > v_today - 2 * p_days
            AND d.metric_date <= v_today
    ),

    measured AS (
        SELECT
            v.ord,
            v.metric,
            v.unit,
            count(v.value) FILTER (WHERE days.is_current)::integer AS days_measured,
            round(avg(v.value) FILTER (WHERE days.is_current), 2) AS current_value,
            round(avg(v.value) FILTER (WHERE NOT days.is_current), 2) AS previous_value
        FROM days
        CROSS JOIN LATERAL (
            VALUES
            (1, 'adult_words', 'words per day', days.adult_word_count::numeric),
            (2, 'child_vocalizations', 'utterances per day', days.child_vocalization_count::numeric),
            (3, 'conversational_turns', 'turns per day', days.conversational_turns::numeric),
            (4, 'measured_time', 'minutes per day', days.audio_seconds / 60.0),
            (5, 'screen_time', 'minutes per day', days.screen_seconds / 60.0),
            (6, 'background_media', 'minutes per day', days.media_seconds / 60.0),
            (7, 'items_completed', 'items per day', days.items_completed::numeric),
            (8, 'measurement_quality', 'score', days.mean_quality_score::numeric)
        ) AS v(ord, metric, unit, value)
        GROUP BY v.ord, v.metric, v.unit
    ),

    compared AS (
        SELECT
            m.*,
            CASE
                WHEN m.previous_value <> 0
                    THEN round(100.0 * (m.current_value - m.previous_value) / m.previous_value, 1)
            END AS change_percent
        FROM measured AS m
    )

    SELECT
        c.metric,
        c.unit,
        c.days_measured,
        c.current_value,
        c.previous_value,
        c.change_percent,
        CASE
            WHEN c.current_value IS NULL THEN 'no data'
            WHEN c.change_percent IS NULL THEN 'nothing to compare'
            WHEN c.change_percent >= 10 THEN 'rising'
            WHEN c.change_percent <= -10 THEN 'falling'
            ELSE 'steady'
        END
    FROM compared AS c
    ORDER BY c.ord;
END
$$;
COMMENT ON FUNCTION analytics.get_child_insights(uuid, integer) IS
'Daily means of the last so many days beside those of the days before, one row per metric.';

CREATE OR REPLACE FUNCTION analytics.record_milestone(
    p_child_id uuid,
    p_milestone_code text,
    p_achieved_on date,
    p_note text DEFAULT NULL
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_milestone_id uuid;
BEGIN
    PERFORM family.require_child_access(p_child_id, 'caregiver');
    SELECT m.id
    INTO v_milestone_id
    FROM analytics.milestones AS m
    WHERE m.code = p_milestone_code;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no milestone with the code %', p_milestone_code
            USING ERRCODE = 'P0002';
    END IF;
    INSERT INTO analytics.child_milestones (
        child_id, milestone_id, achieved_on, recorded_by, note_encrypted, note_key_id
    )
    VALUES (
        p_child_id,
        v_milestone_id,
        p_achieved_on,
        core.current_app_user_id(),
        CASE WHEN p_note IS NOT NULL THEN core.encrypt_text(p_note) END,
        CASE WHEN p_note IS NOT NULL THEN core.encryption_key_id() END
    )
    ON CONFLICT ON CONSTRAINT child_milestones_pkey DO NOTHING;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION analytics.record_milestone(uuid, text, date, text) IS
'Records a milestone that a child reached, with an encrypted remark if given. False when it was recorded before.';

-- ---------------------------------------------------------------------------
-- Dashboards: materialized views are read through functions only, as row-level
-- security does not reach them. Sample families are left out.
-- ---------------------------------------------------------------------------

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.family_dashboard_daily AS
SELECT
    c.family_id,
    d.metric_date,
    count(*)::integer AS children,
    sum(d.screen_seconds)::bigint AS screen_seconds,
    sum(d.items_completed)::bigint AS items_completed,
    sum(d.audio_seconds)::bigint AS audio_seconds,
    sum(d.adult_word_count)::bigint AS adult_word_count,
    sum(d.child_vocalization_count)::bigint AS child_vocalization_count,
    sum(d.conversational_turns)::bigint AS conversational_turns
FROM analytics.daily_child_metrics AS d
INNER JOIN family.child_profiles AS c ON c.id = d.child_id
WHERE d.metric_date >= current_date - 30
    AND c.processing_restricted_at IS NULL
    AND NOT c.is_sample
GROUP BY c.family_id, d.metric_date
WITH DATA;
CREATE UNIQUE INDEX IF NOT EXISTS family_dashboard_daily_key
ON analytics.family_dashboard_daily (family_id, metric_date);
COMMENT ON MATERIALIZED VIEW analytics.family_dashboard_daily IS
'Sums per family and day of the last 30 days. Read it through analytics.get_family_dashboard.';
COMMENT ON COLUMN analytics.family_dashboard_daily.family_id IS 'The family.';
COMMENT ON COLUMN analytics.family_dashboard_daily.metric_date IS 'The day.';
COMMENT ON COLUMN analytics.family_dashboard_daily.children IS 'Children with metrics on that day.';
COMMENT ON COLUMN analytics.family_dashboard_daily.screen_seconds IS 'Time with content.';
COMMENT ON COLUMN analytics.family_dashboard_daily.items_completed IS 'Visits to the end.';
COMMENT ON COLUMN analytics.family_dashboard_daily.audio_seconds IS 'Length of the ended speech sessions.';
COMMENT ON COLUMN analytics.family_dashboard_daily.adult_word_count IS 'Words spoken by adults.';
COMMENT ON COLUMN analytics.family_dashboard_daily.child_vocalization_count IS 'Utterances of children.';
COMMENT ON COLUMN analytics.family_dashboard_daily.conversational_turns IS 'Exchanges.';

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.content_popularity AS
SELECT
    e.item_id,
    count(*)::bigint AS visits,
    count(DISTINCT e.child_id)::bigint AS children,
    round(avg(CASE WHEN e.completed THEN 1 ELSE 0 END), 4) AS completion_rate,
    round(avg(e.rating), 2) AS mean_rating,
    sum(e.duration_seconds)::bigint AS screen_seconds
FROM content.engagement AS e
INNER JOIN family.child_profiles AS c ON c.id = e.child_id
WHERE e.started_at >= current_date - INTERVAL '30 days'
    AND c.processing_restricted_at IS NULL
    AND NOT c.is_sample
GROUP BY e.item_id
WITH DATA;
CREATE UNIQUE INDEX IF NOT EXISTS content_popularity_key
ON analytics.content_popularity (item_id);
COMMENT ON MATERIALIZED VIEW analytics.content_popularity IS
'Use of each item over the last 30 days. Read it through analytics.get_content_popularity.';
COMMENT ON COLUMN analytics.content_popularity.item_id IS 'The item.';
COMMENT ON COLUMN analytics.content_popularity.visits IS 'Visits.';
COMMENT ON COLUMN analytics.content_popularity.children IS 'Different children; readers get no item below five.';
COMMENT ON COLUMN analytics.content_popularity.completion_rate IS 'Share of visits to the end.';
COMMENT ON COLUMN analytics.content_popularity.mean_rating IS 'Mean of the stars given.';
COMMENT ON COLUMN analytics.content_popularity.screen_seconds IS 'Time spent.';

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.platform_daily AS
SELECT
    d.metric_date,
    count(*)::bigint AS active_children,
    count(DISTINCT c.family_id)::bigint AS active_families,
    round(avg(d.screen_seconds) / 60, 1) AS mean_screen_minutes,
    round(avg(d.adult_word_count) FILTER (WHERE d.audio_sessions > 0), 1) AS mean_adult_words,
    round(avg(d.conversational_turns) FILTER (WHERE d.audio_sessions > 0), 1) AS mean_conversational_turns,
    sum(d.audio_sessions)::bigint AS audio_sessions,
    sum(d.items_completed)::bigint AS items_completed
FROM analytics.daily_child_metrics AS d
INNER JOIN family.child_profiles AS c ON c.id = d.child_id
WHERE d.metric_date >= current_date - 90
    AND c.processing_restricted_at IS NULL
    AND NOT c.is_sample
GROUP BY d.metric_date
WITH DATA;
CREATE UNIQUE INDEX IF NOT EXISTS platform_daily_key
ON analytics.platform_daily (metric_date);
COMMENT ON MATERIALIZED VIEW analytics.platform_daily IS
'The whole service per day of the last 90 days. Read it through analytics.get_platform_daily.';
COMMENT ON COLUMN analytics.platform_daily.metric_date IS 'The day.';
COMMENT ON COLUMN analytics.platform_daily.active_children IS 'Children with metrics; readers get no day below five.';
COMMENT ON COLUMN analytics.platform_daily.active_families IS 'Their families.';
COMMENT ON COLUMN analytics.platform_daily.mean_screen_minutes IS 'Mean time with content.';
COMMENT ON COLUMN analytics.platform_daily.mean_adult_words IS 'Mean words by adults, of children with speech sessions.';
COMMENT ON COLUMN analytics.platform_daily.mean_conversational_turns IS 'Mean exchanges, of children with speech sessions.';
COMMENT ON COLUMN analytics.platform_daily.audio_sessions IS 'Speech sessions.';
COMMENT ON COLUMN analytics.platform_daily.items_completed IS 'Visits to the end.';

CREATE OR REPLACE FUNCTION analytics.refresh_dashboards()
RETURNS TABLE (
    view_name text,
    duration_ms integer,
    row_count bigint
)
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_view record;
    v_start timestamptz;
    v_rows bigint;
    v_ms integer;
BEGIN
    FOR v_view IN
        SELECT
            c.relname::text AS relname,
            c.relispopulated
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'analytics'::regnamespace
            AND c.relkind = 'm'
        ORDER BY c.relname
    LOOP
        v_start := clock_timestamp();
        -- CONCURRENTLY lets readers go on, but needs a first filling.
        EXECUTE format(
            'REFRESH MATERIALIZED VIEW %s analytics.%I',
            CASE WHEN v_view.relispopulated THEN 'CONCURRENTLY' ELSE '' END,
            v_view.relname
        );
        EXECUTE format('SELECT count(*) FROM analytics.%I', v_view.relname) INTO v_rows;
        v_ms := (extract(EPOCH FROM clock_timestamp() - v_start) * 1000)::integer;
        INSERT INTO analytics.dashboard_refreshes AS r (view_name, refreshed_at, duration_ms, row_count)
        VALUES (v_view.relname, clock_timestamp(), v_ms, v_rows)
        ON CONFLICT ON CONSTRAINT dashboard_refreshes_pkey DO UPDATE
        SET
            refreshed_at = excluded.refreshed_at,
            duration_ms = excluded.duration_ms,
            row_count = excluded.row_count;
        view_name := v_view.relname;
        duration_ms := v_ms;
        row_count := v_rows;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION analytics.refresh_dashboards() IS
'Refreshes every materialized view of schema analytics without blocking readers and notes when.';

CREATE OR REPLACE FUNCTION analytics.get_family_dashboard(p_family_id uuid DEFAULT NULL, p_days integer DEFAULT 7)
RETURNS SETOF analytics.family_dashboard_daily
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_family_id IS NOT NULL THEN
        PERFORM family.require_family_access(p_family_id, 'viewer');
    END IF;
    RETURN QUERY
    SELECT d.*
    FROM analytics.family_dashboard_daily AS d
    WHERE d.family_id = ANY (
        CASE
            WHEN p_family_id IS NULL THEN ARRAY(SELECT family.my_family_ids())
            ELSE ARRAY[p_family_id]
        END
    )
        AND d.metric_date > current_date - p_days
    ORDER BY d.family_id, d.metric_date;
END
$$;
COMMENT ON FUNCTION analytics.get_family_dashboard(uuid, integer) IS
'The dashboard of one family, or of all families of the signed-in parent.';

CREATE OR REPLACE FUNCTION analytics.get_content_popularity(p_limit integer DEFAULT 50)
RETURNS TABLE (
    item_id uuid,
    title text,
    content_type text,
    visits bigint,
    children bigint,
    completion_rate numeric,
    mean_rating numeric
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        p.item_id,
        i.title,
        i.content_type,
        p.visits,
        p.children,
        p.completion_rate,
        p.mean_rating
    FROM analytics.content_popularity AS p
    INNER JOIN content.items AS i ON i.id = p.item_id
    WHERE p.children >= 5
    ORDER BY p.visits DESC, p.item_id
    LIMIT least(greatest(p_limit, 0), 1000);
$$;
COMMENT ON FUNCTION analytics.get_content_popularity(integer) IS
'Most used items of the last 30 days, only those that at least five children used.';

CREATE OR REPLACE FUNCTION analytics.get_platform_daily(p_days integer DEFAULT 30)
RETURNS SETOF analytics.platform_daily
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.*
    FROM analytics.platform_daily AS p
    WHERE p.metric_date > current_date - p_days
        AND p.active_children >= 5
    ORDER BY p.metric_date;
$$;
COMMENT ON FUNCTION analytics.get_platform_daily(integer) IS
'The service per day, only days on which at least five children were active.';

CREATE OR REPLACE FUNCTION content.refresh_popularity()
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count integer;
BEGIN
    UPDATE content.items AS i
    SET popularity_score = r.score
    FROM (
        SELECT
            x.id,
            CASE
                WHEN p.item_id IS NULL THEN 0
                ELSE round(percent_rank() OVER (PARTITION BY p.item_id IS NULL ORDER BY p.visits)::numeric, 4)
            END AS score
        FROM content.items AS x
        LEFT JOIN analytics.content_popularity AS p ON p.item_id = x.id
        WHERE x.status = 'approved'
    ) AS r
    WHERE i.id = r.id
        AND i.popularity_score <> r.score;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION content.refresh_popularity() IS
'Sets the popularity of approved items by their rank in analytics.content_popularity. Returns how many changed.';

-- ---------------------------------------------------------------------------
-- De-identified views for analysis: no names, no day of birth, no keys of
-- people; groups of fewer than five children are left out. They read with the
-- rights of the reader.
-- ---------------------------------------------------------------------------

CREATE OR REPLACE VIEW analytics.bi_daily_activity
WITH (security_invoker = true) AS
SELECT
    d.metric_date,
    d.age_months / 12 AS age_years,
    count(*) AS children,
    round(avg(d.screen_seconds) / 60, 1) AS mean_screen_minutes,
    round(avg(d.items_completed), 2) AS mean_items_completed,
    count(*) FILTER (WHERE d.audio_sessions > 0) AS children_with_speech,
    round(avg(d.adult_word_count) FILTER (WHERE d.audio_sessions > 0), 1) AS mean_adult_words,
    round(avg(d.child_vocalization_count) FILTER (WHERE d.audio_sessions > 0), 1) AS mean_child_vocalizations,
    round(avg(d.conversational_turns) FILTER (WHERE d.audio_sessions > 0), 1) AS mean_conversational_turns
FROM analytics.daily_child_metrics AS d
INNER JOIN family.child_profiles AS c ON c.id = d.child_id
WHERE NOT c.is_sample
    AND c.processing_restricted_at IS NULL
GROUP BY d.metric_date, d.age_months / 12
HAVING count(*) >= 5;
COMMENT ON VIEW analytics.bi_daily_activity IS
'De-identified: activity and speech per day and year of age.';

CREATE OR REPLACE VIEW analytics.bi_content_monthly
WITH (security_invoker = true) AS
SELECT
    (date_trunc('month', e.started_at AT TIME ZONE 'UTC'))::date AS month,
    e.item_id,
    i.title,
    i.content_type,
    count(*) AS visits,
    count(DISTINCT e.child_id) AS children,
    round(avg(CASE WHEN e.completed THEN 1 ELSE 0 END), 4) AS completion_rate,
    round(avg(e.rating), 2) AS mean_rating
FROM content.engagement AS e
INNER JOIN content.items AS i ON i.id = e.item_id
INNER JOIN family.child_profiles AS c ON c.id = e.child_id
WHERE NOT c.is_sample
    AND c.processing_restricted_at IS NULL
GROUP BY (date_trunc('month', e.started_at AT TIME ZONE 'UTC'))::date, e.item_id, i.title, i.content_type
HAVING count(DISTINCT e.child_id) >= 5;
COMMENT ON VIEW analytics.bi_content_monthly IS
'De-identified: use of each item per month (UTC).';

CREATE OR REPLACE VIEW analytics.bi_subscriptions
WITH (security_invoker = true) AS
SELECT
    p.code AS plan_code,
    s.status,
    s.provider,
    (date_trunc('month', s.created_at AT TIME ZONE 'UTC'))::date AS started_month,
    count(*) AS subscriptions
FROM subscription.subscriptions AS s
INNER JOIN subscription.plans AS p ON p.id = s.plan_id
INNER JOIN family.families AS f ON f.id = s.family_id
WHERE NOT f.is_sample
GROUP BY p.code, s.status, s.provider, (date_trunc('month', s.created_at AT TIME ZONE 'UTC'))::date
HAVING count(*) >= 5;
COMMENT ON VIEW analytics.bi_subscriptions IS
'De-identified: subscriptions by plan, stage, provider and month of begin (UTC).';

CREATE OR REPLACE VIEW analytics.bi_milestones
WITH (security_invoker = true) AS
SELECT
    m.code AS milestone_code,
    m.domain,
    m.typical_min_months,
    m.typical_max_months,
    count(*) AS children
FROM analytics.child_milestones AS r
INNER JOIN analytics.milestones AS m ON m.id = r.milestone_id
INNER JOIN family.child_profiles AS c ON c.id = r.child_id
WHERE NOT c.is_sample
    AND c.processing_restricted_at IS NULL
GROUP BY m.code, m.domain, m.typical_min_months, m.typical_max_months
HAVING count(*) >= 5;
COMMENT ON VIEW analytics.bi_milestones IS
'De-identified: how many children reached each milestone.';

-- ---------------------------------------------------------------------------
-- Payments
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION subscription.apply_payment_webhook(
    p_provider text,
    p_event_ref text,
    p_event_type text,
    p_subscription_ref text,
    p_subscription_status text DEFAULT NULL,
    p_payment_ref text DEFAULT NULL,
    p_payment_status text DEFAULT NULL,
    p_amount_cents integer DEFAULT NULL,
    p_currency text DEFAULT NULL,
    p_occurred_at timestamptz DEFAULT now(),
    p_period_end timestamptz DEFAULT NULL,
    p_failure_code text DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_event_id uuid;
    v_subscription_id uuid;
    v_family_id uuid;
BEGIN
    INSERT INTO subscription.webhook_events (provider, provider_event_ref, event_type, outcome)
    VALUES (p_provider, p_event_ref, p_event_type, 'applied')
    ON CONFLICT ON CONSTRAINT webhook_events_provider_event_key DO NOTHING
    RETURNING id INTO v_event_id;
    IF v_event_id IS NULL THEN
        -- Providers repeat their calls until they are answered.
        RETURN 'ignored';
    END IF;
    SELECT
        s.id,
        s.family_id
    INTO v_subscription_id, v_family_id
    FROM subscription.subscriptions AS s
    WHERE s.provider = p_provider
        AND s.provider_subscription_ref = p_subscription_ref
    FOR UPDATE;
    IF NOT FOUND THEN
        UPDATE subscription.webhook_events AS w
        SET outcome = 'unmatched'
        WHERE w.id = v_event_id;
        RETURN 'unmatched';
    END IF;
    IF p_payment_ref IS NOT NULL THEN
        -- Calls arrive in any order: an older one does not undo a newer one.
        INSERT INTO subscription.payments AS y (
            family_id, subscription_id, provider, provider_payment_ref, status, amount_cents, currency,
            failure_code, occurred_at
        )
        VALUES (
            v_family_id, v_subscription_id, p_provider, p_payment_ref, p_payment_status, p_amount_cents, p_currency,
            p_failure_code, p_occurred_at
        )
        ON CONFLICT ON CONSTRAINT payments_provider_ref_key DO UPDATE
        SET
            status = excluded.status,
            failure_code = excluded.failure_code,
            occurred_at = excluded.occurred_at
        WHERE y.occurred_at <= excluded.occurred_at;
    END IF;
    UPDATE subscription.subscriptions AS s
    SET
        status = coalesce(
            p_subscription_status,
            CASE p_payment_status
                WHEN 'succeeded' THEN 'active'
                WHEN 'failed' THEN 'past_due'
            END,
            s.status
        ),
        current_period_end = greatest(s.current_period_end, p_period_end),
        canceled_at = CASE
            WHEN p_subscription_status = 'canceled' THEN coalesce(s.canceled_at, p_occurred_at)
            ELSE s.canceled_at
        END
    WHERE s.id = v_subscription_id;
    RETURN 'applied';
END
$$;
COMMENT ON FUNCTION subscription.apply_payment_webhook(
    text, text, text, text, text, text, text, integer, text, timestamptz, timestamptz, text
) IS
'Applies one call of a payment provider once; needs no context, the application has checked its signature. Returns applied, ignored or unmatched.';

-- ---------------------------------------------------------------------------
-- Safety
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION safety.report_content(p_item_id uuid, p_reason text, p_details text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_report_id uuid;
BEGIN
    IF core.current_app_user_id() IS NULL AND NOT core.is_trusted_caller() THEN
        RAISE EXCEPTION 'nobody is signed in'
            USING ERRCODE = '42501';
    END IF;
    INSERT INTO safety.content_reports (item_id, reporter_user_id, reason, details_encrypted, details_key_id)
    VALUES (
        p_item_id,
        core.current_app_user_id(),
        p_reason,
        CASE WHEN p_details IS NOT NULL THEN core.encrypt_text(p_details) END,
        CASE WHEN p_details IS NOT NULL THEN core.encryption_key_id() END
    )
    RETURNING id INTO v_report_id;
    RETURN v_report_id;
END
$$;
COMMENT ON FUNCTION safety.report_content(uuid, text, text) IS
'Stores a complaint of the signed-in parent about an item, its details encrypted.';

CREATE OR REPLACE FUNCTION safety.record_incident(
    p_child_id uuid,
    p_category text,
    p_severity text,
    p_description text DEFAULT NULL,
    p_item_id uuid DEFAULT NULL
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_incident_id uuid;
BEGIN
    PERFORM family.require_child_access(p_child_id, 'caregiver');
    INSERT INTO safety.incidents (
        family_id, child_id, item_id, category, severity, description_encrypted, description_key_id, reported_by
    )
    SELECT
        c.family_id,
        c.id,
        p_item_id,
        p_category,
        p_severity,
        CASE WHEN p_description IS NOT NULL THEN core.encrypt_text(p_description) END,
        CASE WHEN p_description IS NOT NULL THEN core.encryption_key_id() END,
        core.current_app_user_id()
    FROM family.child_profiles AS c
    WHERE c.id = p_child_id
    RETURNING id INTO v_incident_id;
    RETURN v_incident_id;
END
$$;
COMMENT ON FUNCTION safety.record_incident(uuid, text, text, text, uuid) IS
'Stores an incident about a child, its description encrypted.';

-- ---------------------------------------------------------------------------
-- Audit trail
-- ---------------------------------------------------------------------------

-- An erasure must not be copied into the trail while it runs. The claim of the
-- session is believed only when the login itself was granted the role and the
-- request is executing under that login with a valid approval by someone else.
CREATE OR REPLACE FUNCTION audit.erasure_is_entitled(p_request_id text)
RETURNS boolean
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT core.is_session_member('wondernest_compliance')
    AND EXISTS (
        SELECT 1
        FROM audit.data_subject_requests AS r
        INNER JOIN audit.plan_approvals AS a
            ON a.request_id = r.id
            AND a.plan_digest = r.plan_digest
        WHERE r.id::text = lower(p_request_id)
            AND r.request_kind = 'erasure'
            AND r.status = 'executing'
            AND r.executing_by = session_user
            AND a.decision = 'approved'
            AND a.approved_by <> r.planned_by
            AND a.approved_by <> session_user
            AND a.expires_at > r.executing_since
    )
    AND NOT EXISTS (
        SELECT 1
        FROM audit.data_subject_requests AS r
        INNER JOIN audit.plan_approvals AS a
            ON a.request_id = r.id
            AND a.plan_digest = r.plan_digest
        WHERE r.id::text = lower(p_request_id)
            AND a.decision = 'rejected'
    );
$$;
COMMENT ON FUNCTION audit.erasure_is_entitled(text) IS
'True when the login is in wondernest_compliance and executes this approved erasure request.';

-- One function for all audited tables. Its arguments are the columns that are
-- never recorded: credentials and encrypted text. An UPDATE keeps old and new
-- of the changed columns only. It runs for every changed row, hence what it
-- takes from the row and the session stands in assignments, whose plans a
-- transaction starts once; inside the INSERT each row would start them again.
CREATE OR REPLACE FUNCTION audit.log_row_change()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request text := nullif(current_setting('wondernest.erasure_request', true), '');
    v_attempt boolean := false;
    v_row jsonb;
    v_old jsonb;
    v_changed jsonb;
    v_table text;
    v_row_id text;
    v_actor uuid;
    v_subject uuid;
    v_child uuid;
    v_family uuid;
    v_agent text;
    v_until timestamptz;
BEGIN
    IF v_request IS NOT NULL AND TG_OP <> 'INSERT' THEN
        IF audit.erasure_is_entitled(v_request) THEN
            RETURN NULL;
        END IF;
        v_attempt := true;
    END IF;
    IF TG_OP = 'DELETE' THEN
        v_row := to_jsonb(OLD);
    ELSE
        IF TG_OP = 'UPDATE' THEN
            IF NEW IS NOT DISTINCT FROM OLD THEN
                RETURN NULL;
            END IF;
            v_old := to_jsonb(OLD);
        END IF;
        v_row := to_jsonb(NEW);
    END IF;
    IF TG_NARGS > 0 THEN
        v_row := v_row - TG_ARGV;
    END IF;
    -- Triggers of a partitioned table fire on the partition, name_YYYY_MM.
    v_table := CASE WHEN TG_TABLE_NAME LIKE '%\_2___\___' THEN left(TG_TABLE_NAME, -8) ELSE TG_TABLE_NAME::text END;
    v_row_id := coalesce(
        v_row ->> 'id',
        -- Tables without an id have these columns as their key, in this order.
        concat_ws(
            '/',
            v_row ->> 'collection_id', v_row ->> 'family_id', v_row ->> 'session_id', v_row ->> 'child_id',
            v_row ->> 'user_id', v_row ->> 'item_id', v_row ->> 'category_id', v_row ->> 'milestone_id',
            v_row ->> 'feature_set', v_row ->> 'metric_date'
        )
    );
    v_actor := nullif(current_setting('app.current_user_id', true), '')::uuid;
    v_subject := CASE
        WHEN TG_TABLE_NAME = 'users' THEN v_row ->> 'id'
        ELSE coalesce(
            v_row ->> 'user_id', v_row ->> 'guardian_user_id', v_row ->> 'payer_user_id',
            v_row ->> 'reporter_user_id', v_row ->> 'subject_user_id'
        )
    END::uuid;
    v_child := CASE
        WHEN TG_TABLE_NAME = 'child_profiles' THEN v_row ->> 'id'
        ELSE coalesce(v_row ->> 'child_id', v_row ->> 'subject_child_id')
    END::uuid;
    v_family := CASE
        WHEN TG_TABLE_NAME = 'families' THEN v_row ->> 'id'
        ELSE coalesce(v_row ->> 'family_id', v_row ->> 'subject_family_id')
    END::uuid;
    v_agent := left(nullif(current_setting('application.user_agent', true), ''), 512);
    IF TG_OP = 'UPDATE' THEN
        -- Empty when only columns changed that are never recorded: the trail
        -- then says that something changed and not what.
        SELECT coalesce(jsonb_object_agg(n.key, jsonb_build_array(v_old -> n.key, n.value)), '{}')
        INTO v_changed
        FROM jsonb_each(v_row) AS n
        WHERE n.value IS DISTINCT FROM v_old -> n.key
            AND n.key <> 'updated_at';
    ELSE
        v_changed := v_row;
    END IF;
    -- Without a policy there is no date, and the row is written all the same.
    SELECT now() + p.retention_period
    INTO v_until
    FROM audit.data_retention_policies AS p
    WHERE p.policy_code = 'audit.activity_log'
        AND p.is_active;
    INSERT INTO audit.activity_log (
        action, table_schema, table_name, row_id, user_id, subject_user_id, child_id, family_id,
        session_role, user_agent, client_addr, changed, erasure_attempt, retention_until
    )
    VALUES (
        TG_OP, TG_TABLE_SCHEMA, v_table, v_row_id, v_actor, v_subject, v_child, v_family,
        session_user, v_agent, inet_client_addr(), v_changed, v_attempt, v_until
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.log_row_change() IS
'Trigger of all audited tables: writes the change to audit.activity_log. Arguments: columns never recorded.';

CREATE OR REPLACE FUNCTION audit.log_truncate()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO audit.activity_log (
        action, table_schema, table_name, user_id, session_role, user_agent, client_addr, retention_until
    )
    SELECT
        'TRUNCATE',
        TG_TABLE_SCHEMA,
        CASE WHEN TG_TABLE_NAME LIKE '%\_2___\___' THEN left(TG_TABLE_NAME, -8) ELSE TG_TABLE_NAME END,
        core.current_app_user_id(),
        session_user,
        left(nullif(current_setting('application.user_agent', true), ''), 512),
        inet_client_addr(),
        (
            SELECT now() + p.retention_period
            FROM audit.data_retention_policies AS p
            WHERE p.policy_code = 'audit.activity_log'
                AND p.is_active
        );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.log_truncate() IS
'Trigger of audited tables: records that all rows were removed at once.';

CREATE OR REPLACE FUNCTION audit.purge_expired_activity(p_limit integer DEFAULT 50000)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count integer;
BEGIN
    WITH expired AS (
        SELECT
            a.id,
            a."timestamp"
        FROM audit.activity_log AS a
        WHERE a.retention_until < now()
            AND NOT a.legal_hold
            AND NOT EXISTS (
                SELECT 1
                FROM core.users AS u
                WHERE u.id IN (a.user_id, a.subject_user_id)
                    AND u.legal_hold
            )
            AND NOT EXISTS (
                SELECT 1
                FROM family.child_profiles AS c
                INNER JOIN family.families AS f ON f.id = c.family_id
                WHERE c.id = a.child_id
                    AND (c.legal_hold OR f.legal_hold)
            )
            AND NOT EXISTS (
                SELECT 1
                FROM family.families AS f
                WHERE f.id = a.family_id
                    AND f.legal_hold
            )
        LIMIT p_limit
    )

    DELETE FROM audit.activity_log AS a
    USING expired AS e
    WHERE a.id = e.id
        AND a."timestamp" = e."timestamp"
        AND NOT a.legal_hold;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION audit.purge_expired_activity(integer) IS
'Deletes trail rows past retention_until, so many at a time, but not those on legal hold or of whom is. Returns how many.';

-- ---------------------------------------------------------------------------
-- Operator ledger
-- ---------------------------------------------------------------------------

-- The lock is a statement of its own: the head is then read with a snapshot
-- taken after the lock was granted, so two writers never extend the same head.
CREATE OR REPLACE FUNCTION audit.ledger_append(p_op_id uuid, p_phase text, p_payload text)
RETURNS TABLE (
    seq bigint,
    ts timestamptz,
    h bytea
)
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 1
AS $$
#variable_conflict use_column
DECLARE
    v_seq bigint;
    v_ts timestamptz;
    v_prev bytea;
    v_envelope text;
    v_envelope_bytes bytea;
    v_h bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('wnadmin.operator_ledger', 0));
    SELECT
        l.seq,
        l.h
    INTO v_seq, v_prev
    FROM audit.operator_ledger AS l
    ORDER BY l.seq DESC
    LIMIT 1;
    v_seq := coalesce(v_seq, 0) + 1;
    v_prev := coalesce(v_prev, decode(repeat('00', 32), 'hex'));
    v_ts := clock_timestamp();
    v_envelope := json_build_object(
        'ts', to_char(v_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'session_user', session_user,
        'client_addr', host(inet_client_addr()),
        'backend_pid', pg_backend_pid(),
        'txid', pg_current_xact_id()::text
    )::text;
    v_envelope_bytes := convert_to(v_envelope, 'UTF8');
    v_h := sha256(
        convert_to('wnadmin-ledger-v1', 'UTF8') || '\x00'::bytea
        || int8send(v_seq)
        || v_prev
        || int8send(octet_length(v_envelope_bytes)::bigint)
        || v_envelope_bytes
        || convert_to(p_payload, 'UTF8')
    );
    INSERT INTO audit.operator_ledger (seq, ts, op_id, phase, envelope, payload, prev, h)
    VALUES (v_seq, v_ts, p_op_id, p_phase, v_envelope, p_payload, v_prev, v_h);
    RETURN QUERY
    SELECT
        v_seq,
        v_ts,
        v_h;
END
$$;
COMMENT ON FUNCTION audit.ledger_append(uuid, text, text) IS
'Appends an entry to the operator ledger. h = sha256(''wnadmin-ledger-v1'' 00 seq prev length(envelope) envelope payload), numbers as 8 bytes, texts as UTF-8.';

CREATE OR REPLACE FUNCTION audit.ledger_checkpoint(p_seq bigint, p_sink text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1
        FROM audit.operator_ledger AS l
        WHERE l.seq = p_seq
    ) THEN
        RAISE EXCEPTION 'the ledger has no entry %', p_seq
            USING ERRCODE = 'P0002';
    END IF;
    INSERT INTO audit.ledger_checkpoints (seq, sink, h)
    SELECT
        l.seq,
        p_sink,
        l.h
    FROM audit.operator_ledger AS l
    WHERE l.seq = p_seq
    ON CONFLICT ON CONSTRAINT ledger_checkpoints_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION audit.ledger_checkpoint(bigint, text) IS
'Notes that this head of the ledger was written to a place outside the database.';

-- What somebody began is theirs to finish: a login that may write the ledger and
-- not read it sees the operations whose first entry it wrote. The first decides,
-- since anyone who may append could add an entry to an operation of others.
CREATE OR REPLACE FUNCTION audit.ledger_own(p_op_ids uuid[], p_limit integer)
RETURNS TABLE (
    seq bigint,
    ts timestamptz,
    op_id uuid,
    phase text,
    envelope text,
    payload text,
    prev bytea,
    h bytea
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH own AS (
        SELECT i.op_id
        FROM audit.operator_ledger AS i
        WHERE i.phase IN ('intent', 'read', 'declined', 'dry_run', 'refused')
            AND i.envelope::json ->> 'session_user' = session_user
            AND (p_op_ids IS NULL OR i.op_id = ANY (p_op_ids))
            AND NOT EXISTS (
                SELECT 1
                FROM audit.operator_ledger AS f
                WHERE f.op_id = i.op_id
                    AND f.seq < i.seq
            )
        ORDER BY i.seq DESC
        LIMIT p_limit
    )

    SELECT
        l.seq,
        l.ts,
        l.op_id,
        l.phase,
        l.envelope,
        l.payload,
        l.prev,
        l.h
    FROM audit.operator_ledger AS l
    WHERE l.op_id IN (SELECT o.op_id FROM own AS o)
    ORDER BY l.seq DESC;
$$;
COMMENT ON FUNCTION audit.ledger_own(uuid[], integer) IS
'Entries of the newest operations that this login began, of those ids only when given; for logins that do not read the ledger.';

-- Retention never takes a row from the middle: what goes is the beginning of the
-- ledger, as far as a seal in the ledger itself says, and only past its period.
CREATE OR REPLACE FUNCTION audit.ledger_remove_sealed(p_seal bigint)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_seal jsonb;
    v_through bigint;
    v_first bigint;
    v_count bigint;
    v_newest timestamptz;
    v_h bytea;
    v_keep interval;
BEGIN
    SELECT l.payload::jsonb -> 'seal'
    INTO v_seal
    FROM audit.operator_ledger AS l
    WHERE l.seq = p_seal
        AND l.phase = 'checkpoint';
    IF v_seal IS NULL THEN
        RAISE EXCEPTION 'entry % of the ledger is no seal', p_seal
            USING ERRCODE = 'P0002';
    END IF;
    v_through := (v_seal ->> 'through')::bigint;
    SELECT
        min(l.seq),
        count(*),
        max(l.ts)
    INTO v_first, v_count, v_newest
    FROM audit.operator_ledger AS l
    WHERE l.seq <= v_through;
    IF v_count = 0 THEN
        RETURN 0::bigint;
    END IF;
    SELECT l.h
    INTO v_h
    FROM audit.operator_ledger AS l
    WHERE l.seq = v_through;
    IF v_through >= p_seal
        OR v_h IS DISTINCT FROM decode(v_seal ->> 'h', 'hex')
        OR v_first IS DISTINCT FROM (v_seal ->> 'from')::bigint
        OR v_count IS DISTINCT FROM (v_seal ->> 'count')::bigint
        OR v_count IS DISTINCT FROM v_through - v_first + 1
    THEN
        RAISE EXCEPTION 'the seal in entry % does not fit the entries of the ledger', p_seal
            USING ERRCODE = '23514';
    END IF;
    SELECT p.retention_period
    INTO v_keep
    FROM audit.data_retention_policies AS p
    WHERE p.policy_code = 'audit.operator_ledger'
        AND p.is_active
        AND p.action IN ('archive', 'delete');
    IF v_keep IS NULL THEN
        RAISE EXCEPTION 'no active policy says how long the ledger is kept'
            USING ERRCODE = '42501';
    END IF;
    IF v_newest >= now() - v_keep THEN
        RAISE EXCEPTION 'entry % is younger than % and has to stay', v_through, v_keep
            USING ERRCODE = '42501';
    END IF;
    PERFORM set_config('wondernest.ledger_sealed_through', v_through::text, true);
    DELETE FROM audit.ledger_checkpoints AS c
    WHERE c.seq <= v_through;
    DELETE FROM audit.operator_ledger AS l
    WHERE l.seq <= v_through;
    PERFORM set_config('wondernest.ledger_sealed_through', '', true);
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION audit.ledger_remove_sealed(bigint) IS
'Removes the beginning of the ledger that the seal in this entry covers, once all of it is past its retention period. Returns how many entries.';

CREATE OR REPLACE FUNCTION audit.refuse_ledger_change()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- audit.ledger_remove_sealed has checked the seal. Nobody else is this role.
    IF TG_OP = 'DELETE' AND current_user = 'wondernest_audit_owner' THEN
        IF OLD.seq <= nullif(current_setting('wondernest.ledger_sealed_through', true), '')::bigint THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = '42501',
            HINT = 'Entries of the ledger are never changed, and removed only from its beginning, once sealed.';
END
$$;
COMMENT ON FUNCTION audit.refuse_ledger_change() IS
'Trigger of the ledger: refuses UPDATE, DELETE and TRUNCATE for everyone; only audit.ledger_remove_sealed removes what is sealed.';

-- ---------------------------------------------------------------------------
-- Register of backups
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION audit.register_backup(
    p_kind text,
    p_name text,
    p_place text,
    p_digest text,
    p_covers text,
    p_system_identifier text,
    p_snapshot_at timestamptz,
    p_snapshot_lsn pg_lsn,
    p_bytes bigint,
    p_is_encrypted boolean,
    p_expires_at timestamptz
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_backup_id uuid;
BEGIN
    INSERT INTO audit.backups (
        kind, name, place, digest, covers, system_identifier, snapshot_at, snapshot_lsn, bytes, is_encrypted, expires_at
    )
    VALUES (
        p_kind,
        p_name,
        p_place,
        p_digest,
        p_covers,
        p_system_identifier,
        p_snapshot_at,
        p_snapshot_lsn,
        p_bytes,
        p_is_encrypted,
        p_expires_at
    )
    ON CONFLICT ON CONSTRAINT backups_copy_key DO UPDATE
    -- A copy that is there again counts again, and a promise once made is not made shorter.
    SET
        removed_at = NULL,
        expires_at = greatest(backups.expires_at, excluded.expires_at)
    RETURNING id INTO v_backup_id;
    RETURN v_backup_id;
END
$$;
COMMENT ON FUNCTION audit.register_backup(text, text, text, text, text, text, timestamptz, pg_lsn, bigint, boolean, timestamptz) IS
'Notes that a copy of this database exists, and until when. Again for the same copy: its row.';

CREATE OR REPLACE FUNCTION audit.mark_backup_removed(p_digest text, p_place text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE audit.backups AS b
    SET removed_at = now()
    WHERE b.digest = p_digest
        AND b.place = p_place
        AND b.removed_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION audit.mark_backup_removed(text, text) IS
'Notes that a copy was removed. False when there is none of that place, or it was noted before.';

-- ---------------------------------------------------------------------------
-- Data-subject requests
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION audit.set_request_due()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- One calendar month, not 30 days (GDPR Article 12(3)); not at choice.
    NEW.due_at := ((NEW.received_at AT TIME ZONE 'UTC') + INTERVAL '1 month') AT TIME ZONE 'UTC';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION audit.set_request_due() IS
'Trigger of audit.data_subject_requests: sets due_at one calendar month after receipt.';

CREATE OR REPLACE FUNCTION audit.open_request(
    p_request_kind text,
    p_subject_kind text,
    p_subject_id uuid,
    p_requester_relation text,
    p_received_at timestamptz DEFAULT now()
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request_id uuid;
BEGIN
    -- Officers open requests that arrive by letter; parents open their own.
    IF NOT core.is_session_member('wondernest_compliance') THEN
        CASE p_subject_kind
            WHEN 'user' THEN PERFORM core.require_user_context(p_subject_id);
            WHEN 'child' THEN PERFORM family.require_child_access(p_subject_id, 'guardian');
            WHEN 'family' THEN PERFORM family.require_family_access(p_subject_id, 'guardian');
            ELSE
                RAISE EXCEPTION 'a subject is a user, a child or a family'
                    USING ERRCODE = '22023';
        END CASE;
    END IF;
    IF p_received_at > now() + INTERVAL '5 minutes' THEN
        RAISE EXCEPTION 'a request cannot have been received in the future'
            USING ERRCODE = '22023';
    END IF;
    INSERT INTO audit.data_subject_requests (
        request_kind, subject_kind, subject_user_id, subject_child_id, subject_family_id, requester_relation, received_at
    )
    VALUES (
        p_request_kind,
        p_subject_kind,
        CASE WHEN p_subject_kind = 'user' THEN p_subject_id END,
        CASE WHEN p_subject_kind = 'child' THEN p_subject_id END,
        CASE WHEN p_subject_kind = 'family' THEN p_subject_id END,
        p_requester_relation,
        p_received_at
    )
    RETURNING id INTO v_request_id;
    RETURN v_request_id;
END
$$;
COMMENT ON FUNCTION audit.open_request(text, text, uuid, text, timestamptz) IS
'Opens a request about a user, child or family; a parent about their own, an officer about any.';

CREATE OR REPLACE FUNCTION audit.verify_request(p_request_id uuid, p_method text, p_reference text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE audit.data_subject_requests AS r
    SET
        status = 'verified',
        verified_at = now(),
        verification_method = p_method,
        verification_ref = p_reference,
        verified_by = session_user
    WHERE r.id = p_request_id
        AND r.status = 'received';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % is not waiting to be verified', p_request_id
            USING ERRCODE = '55000';
    END IF;
END
$$;
COMMENT ON FUNCTION audit.verify_request(uuid, text, text) IS
'Records how the requester was verified and where the proof is kept.';

CREATE OR REPLACE FUNCTION audit.plan_request(
    p_request_id uuid,
    p_plan jsonb,
    p_plan_digest text,
    p_disposition text DEFAULT NULL,
    p_valid_for interval DEFAULT '72 hours'
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE audit.data_subject_requests AS r
    SET
        status = 'planned',
        planned_at = now(),
        planned_by = session_user,
        plan = p_plan,
        plan_digest = p_plan_digest,
        plan_expires_at = now() + p_valid_for,
        disposition = p_disposition
    WHERE r.id = p_request_id
        AND r.status IN ('verified', 'planned', 'approved', 'deferred', 'failed');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % is not verified, or beyond planning', p_request_id
            USING ERRCODE = '55000';
    END IF;
END
$$;
COMMENT ON FUNCTION audit.plan_request(uuid, jsonb, text, text, interval) IS
'Attaches a plan and its digest to a verified request; a new plan voids the approval of the old one.';

CREATE OR REPLACE FUNCTION audit.approve_plan(
    p_operation text,
    p_plan_digest text,
    p_planned_by text,
    p_decision text DEFAULT 'approved',
    p_reason text DEFAULT NULL,
    p_request_id uuid DEFAULT NULL,
    p_valid_for interval DEFAULT '72 hours'
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_planned_by text := p_planned_by;
    v_approval_id uuid;
BEGIN
    IF NOT core.is_session_member('wondernest_approver') THEN
        RAISE EXCEPTION 'only members of wondernest_approver approve plans'
            USING ERRCODE = '42501';
    END IF;
    IF p_valid_for NOT BETWEEN INTERVAL '1 minute' AND INTERVAL '7 days' THEN
        RAISE EXCEPTION 'an approval is valid between one minute and seven days'
            USING ERRCODE = '22023';
    END IF;
    IF p_request_id IS NOT NULL THEN
        -- Who planned is what the request says, not what the caller says.
        SELECT r.planned_by
        INTO v_planned_by
        FROM audit.data_subject_requests AS r
        WHERE r.id = p_request_id
            AND r.status = 'planned'
            AND r.plan_digest = p_plan_digest
            AND r.plan_expires_at > now()
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'request % has no open plan with this digest', p_request_id
                USING ERRCODE = '55000';
        END IF;
    END IF;
    IF v_planned_by IS NULL OR v_planned_by = session_user THEN
        RAISE EXCEPTION 'a plan is approved by someone other than its planner'
            USING ERRCODE = '42501';
    END IF;
    INSERT INTO audit.plan_approvals (
        request_id, operation, plan_digest, planned_by, decision, reason, approved_by, expires_at
    )
    VALUES (
        p_request_id, p_operation, p_plan_digest, v_planned_by, p_decision, p_reason, session_user, now() + p_valid_for
    )
    RETURNING id INTO v_approval_id;
    IF p_request_id IS NOT NULL AND p_decision = 'approved' THEN
        UPDATE audit.data_subject_requests AS r
        SET status = 'approved'
        WHERE r.id = p_request_id;
    END IF;
    RETURN v_approval_id;
END
$$;
COMMENT ON FUNCTION audit.approve_plan(text, text, text, text, text, uuid, interval) IS
'Signs the digest of a plan as approved or rejected. The login must be an approver and not the planner.';

CREATE OR REPLACE FUNCTION audit.begin_execution(p_request_id uuid, p_plan_digest text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT core.is_session_member('wondernest_compliance') THEN
        RAISE EXCEPTION 'only members of wondernest_compliance execute requests'
            USING ERRCODE = '42501';
    END IF;
    UPDATE audit.data_subject_requests AS r
    SET
        status = 'executing',
        executing_since = now(),
        executing_by = session_user
    WHERE r.id = p_request_id
        AND r.status IN ('approved', 'executing')
        AND r.plan_digest = p_plan_digest
        AND r.plan_expires_at > now()
        AND EXISTS (
            SELECT 1
            FROM audit.plan_approvals AS a
            WHERE a.request_id = r.id
                AND a.plan_digest = r.plan_digest
                AND a.decision = 'approved'
                AND a.approved_by <> session_user
                AND a.expires_at > now()
        )
        AND NOT EXISTS (
            SELECT 1
            FROM audit.plan_approvals AS a
            WHERE a.request_id = r.id
                AND a.plan_digest = r.plan_digest
                AND a.decision = 'rejected'
        );
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % has no valid approval of this plan by someone else', p_request_id
            USING ERRCODE = '42501';
    END IF;
END
$$;
COMMENT ON FUNCTION audit.begin_execution(uuid, text) IS
'Marks an approved request as executing under this login; from here its erasure is not copied into the trail.';

CREATE OR REPLACE FUNCTION audit.advance_request(p_request_id uuid, p_status text, p_ground text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_from text;
BEGIN
    SELECT r.status
    INTO v_from
    FROM audit.data_subject_requests AS r
    WHERE r.id = p_request_id
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no request %', p_request_id
            USING ERRCODE = 'P0002';
    END IF;
    -- Planning, approval and the begin of execution have functions of their own.
    IF NOT (CASE v_from
        WHEN 'received' THEN p_status IN ('refused', 'withdrawn')
        WHEN 'verified' THEN p_status IN ('certified', 'refused', 'withdrawn')
        WHEN 'planned' THEN p_status IN ('refused', 'withdrawn')
        WHEN 'approved' THEN p_status IN ('refused', 'withdrawn')
        WHEN 'executing' THEN p_status IN ('scanned', 'failed', 'deferred')
        WHEN 'scanned' THEN p_status IN ('physically_cleaned', 'failed', 'deferred')
        WHEN 'physically_cleaned' THEN p_status IN ('certified', 'certified_with_retention', 'failed')
        WHEN 'certified_with_retention' THEN p_status = 'deferred'
        ELSE false
    END) THEN
        RAISE EXCEPTION 'a request that is % cannot become %', v_from, p_status
            USING ERRCODE = '55000';
    END IF;
    UPDATE audit.data_subject_requests AS r
    SET
        status = p_status,
        executed_at = CASE WHEN p_status = 'scanned' THEN now() ELSE r.executed_at END,
        refusal_ground = CASE WHEN p_status = 'refused' THEN p_ground ELSE r.refusal_ground END,
        closed_at = CASE
            WHEN p_status IN ('certified', 'certified_with_retention', 'refused', 'withdrawn') THEN now()
            ELSE r.closed_at
        END
    WHERE r.id = p_request_id;
END
$$;
COMMENT ON FUNCTION audit.advance_request(uuid, text, text) IS
'Moves a request along its stages where the move is allowed; a refusal needs its ground.';

CREATE OR REPLACE FUNCTION audit.add_tombstone(
    p_request_id uuid,
    p_subject_kind text,
    p_subject_hmac bytea,
    p_hmac_key_id text,
    p_expires_at timestamptz
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_tombstone_id uuid;
BEGIN
    INSERT INTO audit.erasure_tombstones (request_id, subject_kind, subject_hmac, hmac_key_id, expires_at)
    VALUES (p_request_id, p_subject_kind, p_subject_hmac, p_hmac_key_id, p_expires_at)
    ON CONFLICT ON CONSTRAINT erasure_tombstones_subject_key DO UPDATE
    SET expires_at = greatest(erasure_tombstones.expires_at, excluded.expires_at)
    RETURNING id INTO v_tombstone_id;
    RETURN v_tombstone_id;
END
$$;
COMMENT ON FUNCTION audit.add_tombstone(uuid, text, bytea, text, timestamptz) IS
'Keeps the keyed hash of a subject before it is erased.';

-- ---------------------------------------------------------------------------
-- Trigger functions: upkeep, consent and what constraints cannot express
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.touch_updated_at()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_NARGS = 0 THEN
        IF NEW IS DISTINCT FROM OLD THEN
            NEW.updated_at := now();
        END IF;
    ELSIF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION core.touch_updated_at() IS
'Trigger: sets updated_at when a row really changes. Arguments: generated columns, which are not known yet.';

CREATE OR REPLACE FUNCTION core.validate_timezone()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Raises 22023 for a name the server does not know.
    PERFORM now() AT TIME ZONE NEW.timezone;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION core.validate_timezone() IS
'Trigger: refuses a time zone that the server does not know.';

CREATE OR REPLACE FUNCTION family.validate_child()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.birth_date > current_date + 1 THEN
        RAISE EXCEPTION 'the day of birth lies in the future'
            USING ERRCODE = '23514';
    END IF;
    IF NEW.birth_date <= current_date - INTERVAL '18 years' THEN
        RAISE EXCEPTION 'a child profile is for children under 18'
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION family.validate_child() IS
'Trigger of family.child_profiles: the day of birth makes the child younger than 18 and not of the future.';

CREATE OR REPLACE FUNCTION family.protect_consent()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Nobody consents in another's name.
        IF NOT core.is_trusted_caller() AND (
            NEW.guardian_user_id IS DISTINCT FROM core.current_app_user_id() OR NEW.method = 'operator_recorded'
        ) THEN
            RAISE EXCEPTION 'a guardian consents in their own name only'
                USING ERRCODE = '42501';
        END IF;
        NEW.recorded_by := session_user::text;
        RETURN NEW;
    END IF;
    IF (NEW.child_id, NEW.consent_type, NEW.method, NEW.policy_version, NEW.granted_at, NEW.recorded_by)
        IS DISTINCT FROM
        (OLD.child_id, OLD.consent_type, OLD.method, OLD.policy_version, OLD.granted_at, OLD.recorded_by)
        OR (NEW.guardian_user_id IS NOT NULL AND NEW.guardian_user_id IS DISTINCT FROM OLD.guardian_user_id)
        OR (OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at)
    THEN
        RAISE EXCEPTION 'a consent is never rewritten, only withdrawn'
            USING ERRCODE = '23514';
    END IF;
    -- The account of the guardian was erased: the proof stays, the consent ends.
    IF NEW.guardian_user_id IS NULL AND NEW.withdrawn_at IS NULL THEN
        NEW.withdrawn_at := now();
        NEW.withdrawal_reason := 'guardian_left';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION family.protect_consent() IS
'Trigger of family.guardian_consents: given in one''s own name, only withdrawn later, and ended with the account of the guardian.';

CREATE OR REPLACE FUNCTION family.withdraw_consents_of_leaver()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.can_consent THEN
        RETURN NULL;
    END IF;
    -- When the whole family goes, its children and consents go with it.
    IF NOT EXISTS (
        SELECT 1
        FROM family.families AS f
        WHERE f.id = OLD.family_id
    ) THEN
        RETURN NULL;
    END IF;
    UPDATE family.guardian_consents AS g
    SET
        withdrawn_at = now(),
        withdrawal_reason = 'guardian_left'
    FROM family.child_profiles AS c
    WHERE c.family_id = OLD.family_id
        AND g.child_id = c.id
        AND g.guardian_user_id = OLD.user_id
        AND g.withdrawn_at IS NULL;
    -- Nobody consents any more: restricted until a remaining guardian does.
    UPDATE family.child_profiles AS c
    SET
        processing_restricted_at = now(),
        restriction_reason = 'consent_lapsed'
    WHERE c.family_id = OLD.family_id
        AND c.processing_restricted_at IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM family.guardian_consents AS g
            WHERE g.child_id = c.id
                AND g.consent_type = 'data_collection'
                AND g.withdrawn_at IS NULL
        );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION family.withdraw_consents_of_leaver() IS
'Trigger of family.family_members: ends the consents of a guardian who leaves and restricts children whom nobody else consented for.';

CREATE OR REPLACE FUNCTION family.require_consent()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.child_id IS NOT NULL THEN
        PERFORM family.assert_collection_allowed(NEW.child_id, TG_ARGV[0]);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION family.require_consent() IS
'Trigger of tables that collect about a child: refuses with WN001, WN002 or WN003. Argument: the type of consent.';

CREATE OR REPLACE FUNCTION content.validate_item()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.status = 'approved' AND NEW.published_at IS NULL THEN
        NEW.published_at := now();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION content.validate_item() IS
'Trigger of content.items: notes when an item was first approved.';

CREATE OR REPLACE FUNCTION content.validate_category()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.parent_id IS NOT NULL AND EXISTS (
        WITH RECURSIVE above (id, parent_id) AS (
            SELECT
                c.id,
                c.parent_id
            FROM content.categories AS c
            WHERE c.id = NEW.parent_id
            UNION
            SELECT
                c.id,
                c.parent_id
            FROM above AS a
            INNER JOIN content.categories AS c ON c.id = a.parent_id
        )

        SELECT 1
        FROM above AS a
        WHERE a.id = NEW.id
    ) THEN
        RAISE EXCEPTION 'category % would be above itself', NEW.slug
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION content.validate_category() IS
'Trigger of content.categories: the tree has no cycle.';

CREATE OR REPLACE FUNCTION content.validate_engagement()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A tablet's clock may be ahead a little, not a day.
    IF NEW.started_at > clock_timestamp() + INTERVAL '1 day' THEN
        RAISE EXCEPTION 'a visit cannot begin in the future'
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION content.validate_engagement() IS
'Trigger of content.engagement: a visit does not begin in the future.';

CREATE OR REPLACE FUNCTION audio.validate_speech_metrics()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_child_id uuid;
BEGIN
    SELECT s.child_id
    INTO v_child_id
    FROM audio.sessions AS s
    WHERE s.id = NEW.session_id
        AND s.started_at = NEW.session_started_at;
    -- A session that is not there is the foreign key's to report.
    IF v_child_id IS NOT NULL THEN
        IF NEW.child_id IS DISTINCT FROM v_child_id THEN
            RAISE EXCEPTION 'the session belongs to another child'
                USING ERRCODE = '23514';
        END IF;
        IF NEW.window_start < NEW.session_started_at - INTERVAL '1 minute' THEN
            RAISE EXCEPTION 'the stretch begins before its session'
                USING ERRCODE = '23514';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION audio.validate_speech_metrics() IS
'Trigger of audio.speech_metrics: child and times agree with the session.';

CREATE OR REPLACE FUNCTION subscription.set_retention()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_from timestamptz := (to_jsonb(NEW) ->> TG_ARGV[1])::timestamptz;
BEGIN
    IF NEW.retention_until IS NULL THEN
        -- Tax law counts from the end of the year.
        SELECT (date_trunc('year', v_from AT TIME ZONE 'UTC') + INTERVAL '1 year' + p.retention_period)::date
        INTO NEW.retention_until
        FROM audit.data_retention_policies AS p
        WHERE p.policy_code = TG_ARGV[0]
            AND p.is_active;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION subscription.set_retention() IS
'Trigger of invoices and payments: sets retention_until. Arguments: code of the policy, column with the date.';

CREATE OR REPLACE FUNCTION analytics.validate_child_milestone()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.achieved_on > current_date + 1 OR EXISTS (
        SELECT 1
        FROM family.child_profiles AS c
        WHERE c.id = NEW.child_id
            AND c.birth_date > NEW.achieved_on
    ) THEN
        RAISE EXCEPTION 'a milestone lies between the day of birth and today'
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION analytics.validate_child_milestone() IS
'Trigger of analytics.child_milestones: the day lies between birth and today.';

CREATE OR REPLACE FUNCTION safety.validate_parental_controls()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT NEW.blocked_content_types <@ ARRAY['video', 'audio', 'book', 'game', 'activity', 'song'] THEN
        RAISE EXCEPTION 'an unknown kind of content is blocked'
            USING ERRCODE = '23514';
    END IF;
    IF EXISTS (
        SELECT 1
        FROM unnest(NEW.blocked_category_ids) AS b(category_id)
        WHERE NOT EXISTS (
            SELECT 1
            FROM content.categories AS c
            WHERE c.id = b.category_id
        )
    ) THEN
        RAISE EXCEPTION 'an unknown category is blocked'
            USING ERRCODE = '23503';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION safety.validate_parental_controls() IS
'Trigger of safety.parental_controls: what is blocked exists.';

CREATE OR REPLACE FUNCTION ml.validate_features()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Lists of numbers are how voiceprints and embeddings look.
    IF EXISTS (
        SELECT 1
        FROM jsonb_each(NEW.features) AS f
        WHERE jsonb_typeof(f.value) NOT IN ('number', 'boolean', 'null')
    ) THEN
        RAISE EXCEPTION 'features of a child are single numbers and flags'
            USING ERRCODE = '23514',
                HINT = 'Lists, objects and text are refused: no voiceprint or embedding is stored.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION ml.validate_features() IS
'Trigger of ml.child_features: single numbers and flags only, never a list that could identify a voice.';

-- ---------------------------------------------------------------------------
-- Partitions
-- ---------------------------------------------------------------------------

-- ATTACH copies neither owner nor privileges nor the flags of row-level
-- security. A partition gets no policy: read directly it shows nothing, read
-- through its parent it shows what the parent's policies let through.
CREATE OR REPLACE FUNCTION admin.copy_partition_security(p_parent regclass, p_child regclass)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_parent record;
    v_child record;
    v_grant record;
BEGIN
    SELECT
        c.relowner,
        coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
    INTO STRICT v_parent
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = p_parent;
    SELECT
        c.relowner,
        c.relrowsecurity,
        c.relforcerowsecurity
    INTO STRICT v_child
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = p_child;
    IF v_child.relowner <> v_parent.relowner THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', p_child, pg_get_userbyid(v_parent.relowner));
    END IF;
    IF NOT v_child.relrowsecurity THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_child);
    END IF;
    IF NOT v_child.relforcerowsecurity THEN
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_child);
    END IF;
    -- Privileges: take away what the parent does not grant, then add what is missing.
    FOR v_grant IN
        SELECT
            false AS is_wanted,
            h.privilege_type,
            h.grantee
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS h
        WHERE c.oid = p_child
            AND NOT EXISTS (
                SELECT 1
                FROM aclexplode(v_parent.acl) AS w
                WHERE w.grantee = h.grantee
                    AND w.privilege_type = h.privilege_type
            )
        UNION ALL
        SELECT
            true,
            w.privilege_type,
            w.grantee
        FROM aclexplode(v_parent.acl) AS w
        WHERE NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_class AS c
            CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS h
            WHERE c.oid = p_child
                AND h.grantee = w.grantee
                AND h.privilege_type = w.privilege_type
        )
        ORDER BY 1, 3, 2
    LOOP
        EXECUTE format(
            '%s %s ON TABLE %s %s %s',
            CASE WHEN v_grant.is_wanted THEN 'GRANT' ELSE 'REVOKE' END,
            -- Spelled out, so that nothing but a privilege can get into the statement.
            CASE v_grant.privilege_type
                WHEN 'SELECT' THEN 'SELECT'
                WHEN 'INSERT' THEN 'INSERT'
                WHEN 'UPDATE' THEN 'UPDATE'
                WHEN 'DELETE' THEN 'DELETE'
                WHEN 'TRUNCATE' THEN 'TRUNCATE'
                WHEN 'REFERENCES' THEN 'REFERENCES'
                WHEN 'TRIGGER' THEN 'TRIGGER'
                WHEN 'MAINTAIN' THEN 'MAINTAIN'
            END,
            p_child::text,
            CASE WHEN v_grant.is_wanted THEN 'TO' ELSE 'FROM' END,
            CASE WHEN v_grant.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(v_grant.grantee)) END
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION admin.copy_partition_security(regclass, regclass) IS
'Gives a partition the owner and table privileges of its parent and row-level security without a policy.';

-- The bounds in UTC of all partitions of the month-partitioned tables.
CREATE OR REPLACE VIEW admin.partition_bounds
WITH (security_invoker = true) AS
SELECT
    pn.nspname AS parent_schema,
    p.relname AS parent_table,
    p.oid AS parent_oid,
    cn.nspname AS partition_schema,
    c.relname AS partition_name,
    c.oid AS partition_oid,
    i.inhdetachpending AS detach_pending,
    pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' AS is_default,
    (regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('([^']+)'\)$re$))[1]::timestamptz AS lower_bound,
    (regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$TO \('([^']+)'\)$re$))[1]::timestamptz AS upper_bound,
    greatest(c.reltuples, 0)::bigint AS estimated_rows
FROM pg_catalog.pg_partitioned_table AS t
INNER JOIN pg_catalog.pg_class AS p ON p.oid = t.partrelid
INNER JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
INNER JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.oid
INNER JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
INNER JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.relnamespace
WHERE pn.nspname IN ('content', 'audio', 'analytics', 'audit')
    AND t.partstrat = 'r';
COMMENT ON VIEW admin.partition_bounds IS
'Partitions of the month-partitioned tables with their bounds as the catalog has them, not as the names say.';

-- CREATE … (LIKE) and ATTACH instead of PARTITION OF: readers and writers of
-- the parent go on. What ATTACH has to lock in other tables is locked first, in
-- a fixed order and with a short timeout, so that nothing queues behind it.
CREATE OR REPLACE FUNCTION admin.create_monthly_partition(p_parent text, p_date date)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
    v_parent oid := to_regclass(p_parent)::oid;
    v_schema text;
    v_table text;
    v_name text;
    v_lower timestamptz;
    v_upper timestamptz;
    v_existing text;
    v_linked regclass;
BEGIN
    SELECT
        n.nspname::text,
        c.relname::text
    INTO v_schema, v_table
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = v_parent
        AND c.relkind = 'p'
        AND (n.nspname, c.relname) IN (
            ('content', 'engagement'), ('audio', 'sessions'), ('analytics', 'events'), ('audit', 'activity_log')
        );
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not a month-partitioned table of WonderNest', p_parent
            USING ERRCODE = '42809',
                HINT = 'They are content.engagement, audio.sessions, analytics.events and audit.activity_log.';
    END IF;
    IF p_date IS NULL THEN
        RAISE EXCEPTION 'which month? p_date is missing'
            USING ERRCODE = '22004';
    END IF;
    v_lower := date_trunc('month', p_date::timestamp) AT TIME ZONE 'UTC';
    v_upper := (date_trunc('month', p_date::timestamp) + INTERVAL '1 month') AT TIME ZONE 'UTC';
    v_name := format('%s_%s', v_table, to_char(p_date, 'YYYY_MM'));

    -- What exists is judged by its bounds; names are for people.
    SELECT format('%I.%I', b.partition_schema, b.partition_name)
    INTO v_existing
    FROM admin.partition_bounds AS b
    WHERE b.parent_oid = v_parent
        AND b.lower_bound <= v_lower
        AND b.upper_bound >= v_upper
        AND NOT b.detach_pending;
    IF v_existing IS NOT NULL THEN
        RETURN v_existing;
    END IF;
    IF to_regclass(format('%I.%I', v_schema, v_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'the table %.% exists but is not the partition of this month', v_schema, v_name
            USING ERRCODE = '42P07',
                HINT = 'It may have been detached. Rename or attach it.';
    END IF;

    EXECUTE format(
        'CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE '
        'INCLUDING COMMENTS INCLUDING GENERATED INCLUDING COMPRESSION)',
        v_schema, v_name, v_table
    );
    EXECUTE format(
        'COMMENT ON TABLE %I.%I IS %L',
        v_schema, v_name, format('Partition of %s.%s for %s (UTC).', v_schema, v_table, to_char(p_date, 'YYYY-MM'))
    );
    PERFORM admin.copy_partition_security(v_parent::regclass, format('%I.%I', v_schema, v_name)::regclass);
    FOR v_linked IN
        SELECT DISTINCT (CASE WHEN k.conrelid = v_parent THEN k.confrelid ELSE k.conrelid END)::regclass AS linked
        FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'f'
            AND k.conparentid = 0
            AND v_parent IN (k.conrelid, k.confrelid)
        ORDER BY linked
    LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v_linked);
    END LOOP;
    EXECUTE format(
        'ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (%4$L) TO (%5$L)',
        v_schema,
        v_table,
        v_name,
        to_char(v_lower, 'YYYY-MM-DD HH24:MI:SS') || '+00',
        to_char(v_upper, 'YYYY-MM-DD HH24:MI:SS') || '+00'
    );
    RETURN format('%I.%I', v_schema, v_name);
END
$$;
COMMENT ON FUNCTION admin.create_monthly_partition(text, date) IS
'Makes the partition of that month (UTC) if it is missing and returns its name. Raises 55P03 after half a second behind a lock: try again.';

CREATE OR REPLACE FUNCTION admin.ensure_partitions(p_months_ahead integer DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ahead integer := coalesce(
        p_months_ahead, nullif(current_setting('wondernest.months_ahead', true), '')::integer, 12
    );
    v_first date := (date_trunc('month', now() AT TIME ZONE 'UTC') - INTERVAL '1 month')::date;
    v_parent text;
    v_before bigint;
    v_after bigint;
BEGIN
    IF v_ahead NOT BETWEEN 0 AND 240 THEN
        RAISE EXCEPTION 'partitions are made 0 to 240 months ahead'
            USING ERRCODE = '22023';
    END IF;
    SELECT count(*)
    INTO v_before
    FROM admin.partition_bounds;
    FOREACH v_parent IN ARRAY ARRAY['analytics.events', 'audio.sessions', 'audit.activity_log', 'content.engagement'] LOOP
        FOR v_offset IN 0 .. v_ahead + 1 LOOP
            PERFORM admin.create_monthly_partition(v_parent, (v_first + make_interval(months => v_offset))::date);
        END LOOP;
    END LOOP;
    SELECT count(*)
    INTO v_after
    FROM admin.partition_bounds;
    RETURN (v_after - v_before)::integer;
END
$$;
COMMENT ON FUNCTION admin.ensure_partitions(integer) IS
'Makes the partitions from the previous month to so many months ahead (wondernest.months_ahead, or 12). Returns how many were missing.';

-- ---------------------------------------------------------------------------
-- What operators look at
-- ---------------------------------------------------------------------------

CREATE OR REPLACE VIEW admin.index_usage_stats
WITH (security_invoker = true) AS
SELECT
    s.schemaname AS schema_name,
    s.relname AS table_name,
    s.indexrelname AS index_name,
    s.idx_scan,
    s.idx_tup_read,
    s.idx_tup_fetch,
    pg_relation_size(s.indexrelid) AS index_size_bytes,
    pg_size_pretty(pg_relation_size(s.indexrelid)) AS index_size,
    x.indisunique AS is_unique,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_constraint AS k
        WHERE k.conindid = s.indexrelid
            AND k.contype IN ('p', 'u', 'x')
    ) AS backs_constraint,
    NOT x.indisvalid AS is_invalid,
    CASE
        WHEN s.idx_scan = 0 THEN 'Never used'
        WHEN s.idx_scan < 100 THEN 'Rarely used'
        WHEN s.idx_scan < 10000 THEN 'Sometimes used'
        ELSE 'Often used'
    END AS usage_level,
    (
        SELECT d.stats_reset
        FROM pg_catalog.pg_stat_database AS d
        WHERE d.datname = current_database()
    ) AS counted_since
FROM pg_catalog.pg_stat_user_indexes AS s
INNER JOIN pg_catalog.pg_index AS x ON x.indexrelid = s.indexrelid
WHERE s.schemaname = ANY ('{core, family, content, audio, subscription, analytics, safety, ml, audit, admin}'::text[]);
COMMENT ON VIEW admin.index_usage_stats IS
'How often each index was used on this server since counted_since. Never used is no reason to drop what backs a constraint or a foreign key, or what a standby uses.';

CREATE OR REPLACE VIEW admin.trigger_monitoring
WITH (security_invoker = true) AS
SELECT
    n.nspname AS schema_name,
    c.relname AS table_name,
    t.tgname AS trigger_name,
    CASE t.tgenabled
        WHEN 'O' THEN 'enabled'
        WHEN 'A' THEN 'always'
        WHEN 'R' THEN 'replica only'
        ELSE 'disabled'
    END AS status,
    CASE
        WHEN t.tgtype & 64 = 64 THEN 'INSTEAD OF'
        WHEN t.tgtype & 2 = 2 THEN 'BEFORE'
        ELSE 'AFTER'
    END AS timing,
    concat_ws(
        ' OR ',
        CASE WHEN t.tgtype & 4 = 4 THEN 'INSERT' END,
        CASE WHEN t.tgtype & 16 = 16 THEN 'UPDATE' END,
        CASE WHEN t.tgtype & 8 = 8 THEN 'DELETE' END,
        CASE WHEN t.tgtype & 32 = 32 THEN 'TRUNCATE' END
    ) AS events,
    CASE WHEN t.tgtype & 1 = 1 THEN 'ROW' ELSE 'STATEMENT' END AS level,
    format('%I.%I', fn.nspname, f.proname) AS function_name,
    (
        SELECT count(*)
        FROM pg_catalog.pg_trigger AS x
        WHERE x.tgparentid <> 0
            AND x.tgname = t.tgname
            AND x.tgfoid = t.tgfoid
            AND x.tgenabled <> t.tgenabled
            AND x.tgrelid IN (
                SELECT i.inhrelid
                FROM pg_catalog.pg_inherits AS i
                WHERE i.inhparent = t.tgrelid
            )
    ) AS partitions_that_differ
FROM pg_catalog.pg_trigger AS t
INNER JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid
INNER JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.pronamespace
WHERE NOT t.tgisinternal
    AND t.tgparentid = 0
    AND n.nspname IN ('core', 'family', 'content', 'audio', 'subscription', 'analytics', 'safety', 'ml', 'audit');
COMMENT ON VIEW admin.trigger_monitoring IS
'Triggers of the application tables and whether they fire; partitions count under their parent.';

CREATE OR REPLACE FUNCTION admin.subject_totals()
RETURNS TABLE (
    what text,
    total bigint
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        'users',
        count(*)
    FROM core.users
    UNION ALL
    SELECT
        'families',
        count(*)
    FROM family.families
    UNION ALL
    SELECT
        'children',
        count(*)
    FROM family.child_profiles
    UNION ALL
    SELECT
        'children restricted',
        count(*)
    FROM family.child_profiles
    WHERE processing_restricted_at IS NOT NULL
    UNION ALL
    SELECT
        'children with collection stopped',
        count(*)
    FROM family.child_profiles
    WHERE collection_stopped_at IS NOT NULL
    UNION ALL
    SELECT
        'children without live consent',
        count(*)
    FROM family.child_profiles AS c
    WHERE NOT EXISTS (
        SELECT 1
        FROM family.guardian_consents AS g
        WHERE g.child_id = c.id
            AND g.consent_type = 'data_collection'
            AND g.withdrawn_at IS NULL
    )
    UNION ALL
    SELECT
        'sign-in sessions',
        count(*)
    FROM core.sessions
    UNION ALL
    SELECT
        'open data-subject requests',
        count(*)
    FROM audit.data_subject_requests
    WHERE closed_at IS NULL
    UNION ALL
    SELECT
        'overdue data-subject requests',
        count(*)
    FROM audit.data_subject_requests
    WHERE closed_at IS NULL
        AND coalesce(extended_until, due_at) + paused_total < now();
$$;
COMMENT ON FUNCTION admin.subject_totals() IS
'Counts of users, families, children and requests: totals only, for logins that read no subject table.';

CREATE OR REPLACE FUNCTION admin.get_unfinished_operations()
RETURNS TABLE (
    op_id uuid,
    began_at timestamptz
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        i.op_id,
        max(i.ts)
    FROM ONLY audit.operator_ledger AS i
    WHERE i.phase = 'intent'
        AND NOT EXISTS (
            SELECT 1
            FROM ONLY audit.operator_ledger AS o
            WHERE o.op_id = i.op_id
                AND o.phase = 'outcome'
                AND o.seq > i.seq
        )
    GROUP BY i.op_id
    ORDER BY 2;
$$;
COMMENT ON FUNCTION admin.get_unfinished_operations() IS
'Operations of the ledger with an intent and no outcome after it: id and time only, for logins that do not read the ledger.';

-- Rows are counted up to 10,000, and only where that is cheap: by an index or
-- partitions on the column, or in a table of at most 32 MB. Of a larger table a
-- sample is looked at, which can show that rows are overdue but not that none is.
CREATE OR REPLACE FUNCTION admin.get_retention_backlog()
RETURNS TABLE (
    policy_code text,
    table_name text,
    action text,
    retention_period interval,
    overdue_rows bigint,
    oldest_due timestamptz,
    evidence text,
    detail text
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
    v_policy record;
    v_facts record;
    v_cut timestamptz;
    v_own record;
    v_table regclass;
    v_size bigint;
    v_found bigint;
    v_first timestamptz;
    v_stays text;
    v_hidden text;
BEGIN
    FOR v_policy IN
        SELECT
            p.policy_code,
            p.table_schema,
            p.table_name,
            p.time_column,
            p.retention_period,
            p.action,
            (
                SELECT c.oid
                FROM pg_catalog.pg_class AS c
                INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = p.table_schema
                    AND c.relname = p.table_name
            ) AS table_oid
        FROM audit.data_retention_policies AS p
        WHERE p.is_active
            AND p.time_column IS NOT NULL
            AND p.retention_period IS NOT NULL
        ORDER BY p.policy_code
    LOOP
        policy_code := v_policy.policy_code;
        table_name := format('%I.%I', v_policy.table_schema, v_policy.table_name);
        action := v_policy.action;
        retention_period := v_policy.retention_period;
        overdue_rows := NULL;
        oldest_due := NULL;
        evidence := 'none';

        SELECT
            c.relkind,
            a.attnum,
            a.atttypid,
            t.partrelid IS NOT NULL AS is_partition_key,
            EXISTS (
                SELECT 1
                FROM pg_catalog.pg_index AS x
                INNER JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
                INNER JOIN pg_catalog.pg_am AS m ON m.oid = i.relam
                WHERE x.indrelid = c.oid
                    AND x.indisvalid
                    AND x.indpred IS NULL
                    AND x.indkey[0] = a.attnum
                    AND m.amname IN ('btree', 'brin')
            ) AS is_indexed
        INTO v_facts
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_catalog.pg_partitioned_table AS t
            ON t.partrelid = c.oid
            AND t.partstrat = 'r'
            AND t.partattrs[0] = a.attnum
        WHERE c.oid = v_policy.table_oid
            AND c.relkind IN ('r', 'p')
            AND a.attname = v_policy.time_column
            AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype);
        IF NOT FOUND THEN
            detail := format('there is no table %s with a time in column %I', table_name, v_policy.time_column);
            RETURN NEXT;
            CONTINUE;
        END IF;

        -- A row with a date of its own goes by that; one on hold is not due.
        SELECT
            bool_or(a.attname = 'retention_until') AS has_until,
            bool_or(a.attname = 'legal_hold') AS has_hold,
            bool_or(a.attname = 'identity_erased_at') AS has_mark,
            string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum)
                FILTER (WHERE NOT has_column_privilege(v_policy.table_oid, a.attnum, 'SELECT')) AS hidden
        INTO v_own
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = v_policy.table_oid
            AND NOT a.attisdropped
            AND (
                a.attnum = v_facts.attnum
                OR (a.attname = 'legal_hold' AND a.atttypid = 'boolean'::regtype)
                OR (
                    v_policy.action = 'pseudonymise'
                    AND a.attname = 'identity_erased_at'
                    AND a.atttypid = 'timestamptz'::regtype
                )
                OR (a.attname = 'retention_until' AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype))
            );
        IF v_own.hidden IS NOT NULL THEN
            detail := format('needs GRANT SELECT (%s) ON %s TO %I', v_own.hidden, table_name, current_user);
            RETURN NEXT;
            CONTINUE;
        END IF;

        -- Neither is one of a user, family or child on hold, told by its foreign keys; the trail has none.
        SELECT
            coalesce(string_agg(
                format(' AND NOT EXISTS (SELECT FROM %s AS h WHERE h.id = t.%I AND h.legal_hold)', w.subjects, w.attname),
                '' ORDER BY w.attname
            ), ''),
            string_agg(format('%I', w.attname), ', ' ORDER BY w.attname)
                FILTER (WHERE NOT has_column_privilege(v_policy.table_oid, w.attname, 'SELECT'))
        INTO v_stays, v_hidden
        FROM (
            SELECT
                a.attname,
                CASE s.subject
                    WHEN 'child' THEN
                        '(SELECT c.id, c.legal_hold FROM family.child_profiles AS c UNION ALL '
                        'SELECT c.id, f.legal_hold FROM family.child_profiles AS c '
                        'INNER JOIN family.families AS f ON f.id = c.family_id)'
                    WHEN 'family' THEN 'family.families'
                    ELSE 'core.users'
                END AS subjects
            FROM pg_catalog.pg_attribute AS a
            CROSS JOIN LATERAL (
                SELECT
                    CASE k.confrelid
                        WHEN 'family.child_profiles'::regclass THEN 'child'
                        WHEN 'family.families'::regclass THEN 'family'
                        WHEN 'core.users'::regclass THEN 'user'
                    END AS subject
                FROM pg_catalog.pg_constraint AS k
                WHERE k.conrelid = a.attrelid
                    AND k.contype = 'f'
                    AND k.conkey = ARRAY[a.attnum]
                UNION
                SELECT n.subject
                FROM (
                    VALUES
                    ('child_id', 'child'), ('subject_child_id', 'child'), ('family_id', 'family'),
                    ('subject_family_id', 'family'), ('user_id', 'user'), ('subject_user_id', 'user')
                ) AS n (column_name, subject)
                WHERE n.column_name = a.attname
                    AND v_policy.table_schema = 'audit'
            ) AS s
            WHERE a.attrelid = v_policy.table_oid
                AND a.attnum > 0
                AND NOT a.attisdropped
                AND s.subject IS NOT NULL
        ) AS w;
        IF v_hidden IS NOT NULL THEN
            detail := format('needs GRANT SELECT (%s) ON %s TO %I', v_hidden, table_name, current_user);
            RETURN NEXT;
            CONTINUE;
        END IF;
        -- What still answers for something stays as well.
        v_stays := v_stays || CASE v_policy.table_oid
            WHEN to_regclass('audit.erasure_tombstones') THEN ' AND t.expires_at < now()'
            WHEN to_regclass('audit.data_subject_requests')
                THEN ' AND (t.retained_until IS NULL OR t.retained_until < now())'
            WHEN to_regclass('audit.backups') THEN ' AND t.removed_at IS NOT NULL'
            ELSE ''
        END;
        v_stays := v_stays || CASE WHEN v_own.has_hold THEN ' AND NOT t.legal_hold' ELSE '' END
            || CASE WHEN v_own.has_mark THEN ' AND t.identity_erased_at IS NULL' ELSE '' END;

        v_cut := now() - v_policy.retention_period;
        BEGIN
            IF v_policy.action = 'detach_partition' AND v_facts.is_partition_key THEN
                -- Only a partition that is past as a whole is due.
                SELECT max(b.upper_bound)
                INTO v_cut
                FROM (
                    SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$ TO \('([^']+)'$re$))[1]::timestamptz AS upper_bound
                    FROM pg_catalog.pg_inherits AS i
                    INNER JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
                    WHERE i.inhparent = v_policy.table_oid
                ) AS b
                WHERE b.upper_bound <= v_cut;
            END IF;
            v_table := v_policy.table_oid;
            v_size := CASE
                WHEN v_facts.relkind = 'r' THEN pg_table_size(v_policy.table_oid)
                WHEN NOT v_facts.is_partition_key AND NOT v_facts.is_indexed
                    THEN (
                        SELECT sum(pg_table_size(p.relid))::bigint
                        FROM pg_partition_tree(v_policy.table_oid) AS p
                        WHERE p.isleaf
                    )
            END;
            evidence := CASE
                WHEN NOT v_facts.is_partition_key
                    AND NOT v_facts.is_indexed
                    AND NOT v_own.has_until
                    AND v_size > 32 * 1024 * 1024
                    THEN 'partial'
                ELSE 'complete'
            END;
            overdue_rows := 0;
            IF v_own.has_until THEN
                EXECUTE format(
                    'SELECT count(*), min(x.due)::timestamptz FROM (SELECT t.retention_until AS due FROM %s AS t '
                    'WHERE t.retention_until < now()%s ORDER BY t.retention_until LIMIT 10000) AS x',
                    v_table,
                    v_stays
                )
                INTO v_found, v_first;
                overdue_rows := v_found;
                oldest_due := v_first;
            END IF;
            IF v_cut IS NOT NULL THEN
                EXECUTE format(
                    'SELECT count(*), min(x.at)::timestamptz FROM (SELECT t.%I AS at FROM %s AS t%s '
                    'WHERE t.%I < $1%s%s ORDER BY %s LIMIT 10000) AS x',
                    v_policy.time_column,
                    v_table,
                    CASE
                        WHEN evidence = 'partial'
                            THEN format(' TABLESAMPLE SYSTEM (%s)', round(100.0 * 12 * 1024 * 1024 / v_size, 6))
                        ELSE ''
                    END,
                    v_policy.time_column,
                    v_stays,
                    CASE WHEN v_own.has_until THEN ' AND t.retention_until IS NULL' ELSE '' END,
                    CASE WHEN v_facts.is_indexed THEN format('t.%I', v_policy.time_column) ELSE 'NULL::int' END
                )
                INTO v_found, v_first
                USING v_cut;
                overdue_rows := greatest(overdue_rows, v_found);
                oldest_due := least(oldest_due, v_first + v_policy.retention_period);
            END IF;
            IF evidence = 'partial' THEN
                -- The oldest rows are where the table begins, unless space was used again.
                EXECUTE format(
                    'SELECT count(*), min(x.at)::timestamptz FROM (SELECT t.%I AS at FROM %s AS t WHERE true%s LIMIT 50000) AS x '
                    'WHERE x.at < $1',
                    v_policy.time_column,
                    v_table,
                    v_stays
                )
                INTO v_found, v_first
                USING v_cut;
                overdue_rows := greatest(overdue_rows, v_found);
                oldest_due := least(oldest_due, v_first + v_policy.retention_period);
            END IF;
            detail := CASE
                WHEN overdue_rows >= 10000 THEN 'at least so many'
                WHEN evidence = 'complete' THEN 'counted'
                WHEN overdue_rows > 0 THEN 'in a sample'
                ELSE format(
                    'a sample shows none; for certainty: CREATE INDEX CONCURRENTLY ON %s USING brin (%I) WITH (autosummarize = on)',
                    table_name, v_policy.time_column
                )
            END;
            IF evidence = 'partial' AND overdue_rows = 0 THEN
                overdue_rows := NULL;
            END IF;
        EXCEPTION
            WHEN lock_not_available THEN
                overdue_rows := NULL;
                oldest_due := NULL;
                evidence := 'none';
                detail := 'the table is locked';
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION admin.get_retention_backlog() IS
'For each active retention policy how many rows are past their time, at most 10,000 of them, and since when: totals and times only. overdue_rows is NULL where that is not known.';

CREATE OR REPLACE FUNCTION admin.get_db_health_metrics()
RETURNS TABLE (
    metric_name text,
    metric_value numeric,
    unit text,
    status text,
    detail text
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_sees_all boolean := pg_has_role(current_user, 'pg_read_all_stats', 'USAGE');
    v_blind constant text := 'needs GRANT pg_read_all_stats or pg_monitor to this login';
BEGIN
    RETURN QUERY
    WITH activity AS (
        SELECT
            count(*) AS total,
            count(*) FILTER (WHERE a.state = 'active') AS active,
            count(*) FILTER (WHERE a.state LIKE 'idle in transaction%') AS idle_in_transaction,
            max(extract(EPOCH FROM clock_timestamp() - a.xact_start)) AS longest_transaction,
            max(extract(EPOCH FROM clock_timestamp() - a.query_start)) FILTER (WHERE a.state = 'active') AS longest_query
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.backend_type = 'client backend'
            AND a.pid <> pg_backend_pid()
    ),

    db AS (
        SELECT
            d.blks_hit,
            d.blks_read,
            d.xact_commit,
            d.xact_rollback,
            d.deadlocks,
            d.temp_bytes
        FROM pg_catalog.pg_stat_database AS d
        WHERE d.datname = current_database()
    ),

    tables AS (
        -- The view pg_stat_user_tables would work out twenty columns for these two.
        SELECT
            sum(pg_stat_get_dead_tuples(c.oid)) AS dead,
            sum(pg_stat_get_live_tuples(c.oid)) AS live
        FROM pg_catalog.pg_class AS c
        WHERE c.relkind IN ('r', 'm')
            AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    ),

    waiting AS (
        SELECT count(DISTINCT l.pid) AS blocked
        FROM pg_catalog.pg_locks AS l
        WHERE NOT l.granted
    ),

    runway AS (
        SELECT min(r.days) AS days
        FROM (
            SELECT extract(EPOCH FROM max(b.upper_bound) - now()) / 86400 AS days
            FROM admin.partition_bounds AS b
            WHERE NOT b.detach_pending
            GROUP BY b.parent_oid
        ) AS r
    ),

    wraparound AS (
        SELECT 100.0 * max(age(d.datfrozenxid)) / 2000000000 AS percent
        FROM pg_catalog.pg_database AS d
    ),

    broken AS (
        -- The index of a partitioned table is not valid until each partition has its own, and one that is being
        -- built is not yet.
        SELECT count(*) AS indexes
        FROM pg_catalog.pg_index AS x
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = x.indexrelid
        WHERE NOT x.indisvalid
            AND c.relkind = 'i'
            AND x.indexrelid NOT IN (
                SELECT g.index_relid
                FROM pg_catalog.pg_stat_progress_create_index AS g
                WHERE g.index_relid IS NOT NULL
            )
    ),

    -- name, value, unit, warn above, critical above, visible, detail
    found AS (
        SELECT v.*
        FROM activity AS a
        CROSS JOIN db AS d
        CROSS JOIN tables AS t
        CROSS JOIN waiting AS w
        CROSS JOIN wraparound AS x
        CROSS JOIN broken AS k
        CROSS JOIN LATERAL (
            VALUES
            -- What kind of process a session of another role is, is hidden too: too few would be counted.
            (
                1, 'connections', a.total::numeric, 'sessions', NULL::numeric, NULL::numeric, v_sees_all,
                'client sessions of all databases'
            ),
            (
                2, 'connections_used', round(100.0 * a.total / current_setting('max_connections')::numeric, 1), 'percent',
                80, 95, v_sees_all, 'of max_connections'
            ),
            (3, 'sessions_active', a.active, 'sessions', NULL, NULL, v_sees_all, 'running a statement now'),
            (4, 'sessions_idle_in_transaction', a.idle_in_transaction, 'sessions', 10, 50, v_sees_all, 'hold snapshots and locks'),
            (5, 'longest_transaction', round(coalesce(a.longest_transaction, 0)::numeric, 1), 'seconds', 900, 3600, v_sees_all, 'oldest open transaction'),
            (6, 'longest_query', round(coalesce(a.longest_query, 0)::numeric, 1), 'seconds', 300, 3600, v_sees_all, 'oldest running statement'),
            (7, 'sessions_blocked', w.blocked, 'sessions', 0, 10, true, 'wait for a lock'),
            (8, 'database_size', pg_database_size(current_database())::numeric, 'bytes', NULL, NULL, true, current_database()::text),
            (9, 'rollbacks', round(100.0 * d.xact_rollback / greatest(d.xact_commit + d.xact_rollback, 1), 2), 'percent', 10, 50, true, 'of transactions since the counters were reset'),
            (10, 'deadlocks', d.deadlocks, 'count', NULL, NULL, true, 'since the counters were reset'),
            (11, 'temporary_files', d.temp_bytes, 'bytes', NULL, NULL, true, 'written since the counters were reset'),
            (12, 'dead_rows', coalesce(round(100.0 * t.dead / nullif(t.dead + t.live, 0), 1), 0), 'percent', 20, 50, true, 'estimate over all tables'),
            (13, 'transaction_id_age', round(x.percent, 1), 'percent', 25, 75, true, 'of the distance to wraparound, oldest database'),
            (14, 'invalid_indexes', k.indexes, 'indexes', 0, NULL, true, 'left by an interrupted CREATE INDEX CONCURRENTLY or REINDEX')
        ) AS v(ord, metric_name, metric_value, unit, warn_above, critical_above, visible, detail)
    )

    SELECT
        f.metric_name,
        CASE WHEN f.visible THEN f.metric_value END,
        f.unit,
        CASE
            WHEN NOT f.visible THEN 'unknown'
            WHEN f.metric_value > f.critical_above THEN 'critical'
            WHEN f.metric_value > f.warn_above THEN 'warn'
            ELSE 'ok'
        END,
        CASE WHEN f.visible THEN f.detail ELSE v_blind END
    FROM found AS f
    UNION ALL
    SELECT
        'cache_hits',
        round(100.0 * d.blks_hit / nullif(d.blks_hit + d.blks_read, 0), 2),
        'percent',
        CASE
            WHEN d.blks_hit + d.blks_read < 10000 THEN 'ok'
            WHEN 100.0 * d.blks_hit / (d.blks_hit + d.blks_read) < 90 THEN 'warn'
            ELSE 'ok'
        END,
        'of block reads since the counters were reset'
    FROM db AS d
    UNION ALL
    SELECT
        'partition_runway',
        round(r.days, 1),
        'days',
        CASE
            WHEN r.days IS NULL THEN 'critical'
            WHEN r.days < 7 THEN 'critical'
            WHEN r.days < 45 THEN 'warn'
            ELSE 'ok'
        END,
        'until the first insert finds no partition; see admin.ensure_partitions'
    FROM runway AS r;
END
$$;
COMMENT ON FUNCTION admin.get_db_health_metrics() IS
'Health of this database in one table; status is ok, warn, critical, or unknown where the login lacks the privilege to see.';

CREATE OR REPLACE FUNCTION admin.validate_security_config()
RETURNS TABLE (
    check_name text,
    status text,
    object text,
    detail text
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_schemas constant text[] := ARRAY[
        'core', 'family', 'content', 'audio', 'subscription', 'analytics', 'safety', 'ml', 'audit', 'admin'
    ];
BEGIN
    RETURN QUERY
    WITH relations AS (
        SELECT
            c.oid,
            n.nspname,
            c.relname,
            c.relkind,
            c.relispartition,
            c.relrowsecurity,
            c.relforcerowsecurity,
            c.relacl,
            c.relowner,
            format('%I.%I', n.nspname, c.relname) AS object,
            EXISTS (
                SELECT 1
                FROM pg_catalog.pg_policy AS p
                WHERE p.polrelid = c.oid
                    AND p.polpermissive
            ) AS has_policy,
            (n.nspname, c.relname) IN (('core', 'users'), ('family', 'families'), ('family', 'child_profiles'))
            OR EXISTS (
                SELECT 1
                FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = c.oid
                    AND a.attname IN ('user_id', 'family_id', 'child_id', 'reporter_user_id', 'subject_user_id')
                    AND NOT a.attisdropped
            ) AS holds_subject
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (v_schemas)
    ),

    functions AS (
        SELECT
            p.oid,
            format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS object,
            p.prosecdef,
            coalesce(p.proconfig, '{}') AS proconfig,
            p.proleakproof,
            coalesce(p.proacl, acldefault('f', p.proowner)) AS acl,
            r.rolname AS owner_name,
            r.rolsuper AS owner_is_superuser
        FROM pg_catalog.pg_proc AS p
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        INNER JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
        WHERE n.nspname = ANY (v_schemas)
    ),

    wanted_roles (role_name, can_login, connection_limit, bypasses) AS (
        VALUES
        ('wondernest_app', true, 50, false),
        ('wondernest_analytics', true, 10, false),
        ('wondernest_migration', true, 5, false),
        ('wondernest_backup', true, 3, true),
        ('wondernest_monitor', true, 5, false),
        ('wondernest_owner', false, -1, false),
        ('wondernest_definer', false, -1, true),
        ('wondernest_audit_owner', false, -1, false),
        ('wondernest_rw', false, -1, false),
        ('wondernest_ro', false, -1, false),
        ('wondernest_worker', false, -1, false),
        ('wondernest_operator', false, -1, false),
        ('wondernest_compliance', false, -1, false),
        ('wondernest_approver', false, -1, false)
    ),

    problems (ord, check_name, status, object, detail) AS (
        SELECT 1, 'row_level_security', 'fail', r.object, 'row-level security is not enabled on a table of subjects'
        FROM relations AS r
        WHERE r.relkind IN ('r', 'p') AND (r.holds_subject OR r.relispartition) AND NOT r.relrowsecurity
        UNION ALL
        SELECT 2, 'row_level_security_forced', 'fail', r.object, 'the owner bypasses row-level security'
        FROM relations AS r
        WHERE r.relkind IN ('r', 'p') AND r.relrowsecurity AND NOT r.relforcerowsecurity
        UNION ALL
        SELECT 3, 'policies', 'fail', r.object, 'row-level security without a permissive policy shows nobody anything'
        FROM relations AS r
        WHERE r.relkind IN ('r', 'p') AND NOT r.relispartition AND r.relrowsecurity AND NOT r.has_policy
        UNION ALL
        SELECT 4, 'partition_policies', 'fail', r.object, 'a partition with a policy of its own can be read around its parent'
        FROM relations AS r
        WHERE r.relispartition AND r.has_policy
        UNION ALL
        SELECT 5, 'materialized_views', 'fail', r.object, format('granted to %s', coalesce(g.rolname, 'PUBLIC'))
        FROM relations AS r
        CROSS JOIN LATERAL aclexplode(r.relacl) AS x
        LEFT JOIN pg_catalog.pg_roles AS g ON g.oid = x.grantee
        WHERE r.relkind = 'm' AND x.grantee <> r.relowner
        UNION ALL
        SELECT 6, 'views', 'fail', r.object, 'a view without security_invoker reads with the rights of its owner'
        FROM relations AS r
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
        WHERE r.relkind = 'v'
            AND NOT coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on']
        UNION ALL
        SELECT 7, 'table_grants_to_public', 'fail', r.object, format('PUBLIC has %s', x.privilege_type)
        FROM relations AS r
        CROSS JOIN LATERAL aclexplode(r.relacl) AS x
        WHERE x.grantee = 0
        UNION ALL
        SELECT 8, 'definer_search_path', 'fail', f.object, 'SECURITY DEFINER without search_path = pg_catalog, pg_temp'
        FROM functions AS f
        WHERE f.prosecdef AND NOT 'search_path=pg_catalog, pg_temp' = ANY (f.proconfig)
        UNION ALL
        SELECT 9, 'definer_public_execute', 'fail', f.object, 'PUBLIC may execute a SECURITY DEFINER function'
        FROM functions AS f
        WHERE f.prosecdef AND EXISTS (SELECT 1 FROM aclexplode(f.acl) AS x WHERE x.grantee = 0)
        UNION ALL
        SELECT 10, 'definer_owner', 'fail', f.object, format('owned by %s', f.owner_name)
        FROM functions AS f
        WHERE f.prosecdef
            AND (f.owner_is_superuser OR f.owner_name NOT IN ('wondernest_definer', 'wondernest_audit_owner'))
        UNION ALL
        SELECT 11, 'leakproof', 'fail', f.object, 'marked LEAKPROOF'
        FROM functions AS f
        WHERE f.proleakproof
        UNION ALL
        SELECT 12, 'schema_create', 'fail', n.nspname::text, 'PUBLIC may create objects in the schema'
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = ANY (v_schemas || ARRAY['public', 'extensions'])
            AND EXISTS (
                SELECT 1
                FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS x
                WHERE x.grantee = 0 AND x.privilege_type = 'CREATE'
            )
        UNION ALL
        SELECT 13, 'roles_exist', 'fail', w.role_name, 'the role is missing'
        FROM wanted_roles AS w
        WHERE to_regrole(w.role_name) IS NULL
        UNION ALL
        SELECT 14, 'role_attributes', 'fail', r.rolname::text, concat_ws(
            ', ',
            CASE WHEN r.rolsuper THEN 'superuser' END,
            CASE WHEN r.rolcreaterole THEN 'may create roles' END,
            CASE WHEN r.rolcreatedb THEN 'may create databases' END,
            CASE WHEN r.rolbypassrls <> w.bypasses THEN format('BYPASSRLS is %s', r.rolbypassrls) END,
            CASE WHEN r.rolreplication <> (w.role_name = 'wondernest_backup') THEN format('REPLICATION is %s', r.rolreplication) END,
            CASE WHEN r.rolcanlogin AND NOT w.can_login THEN 'may log in' END,
            CASE WHEN r.rolconnlimit <> w.connection_limit THEN format('connection limit %s instead of %s', r.rolconnlimit, w.connection_limit) END
        )
        FROM wanted_roles AS w
        INNER JOIN pg_catalog.pg_roles AS r ON r.rolname = w.role_name
        WHERE r.rolsuper
            OR r.rolcreaterole
            OR r.rolcreatedb
            OR r.rolbypassrls <> w.bypasses
            OR r.rolreplication <> (w.role_name = 'wondernest_backup')
            OR (r.rolcanlogin AND NOT w.can_login)
            OR r.rolconnlimit <> w.connection_limit
        UNION ALL
        SELECT 15, 'role_attributes', 'warn', r.rolname::text, 'a login of the application is locked (NOLOGIN)'
        FROM wanted_roles AS w
        INNER JOIN pg_catalog.pg_roles AS r ON r.rolname = w.role_name
        WHERE w.can_login AND NOT r.rolcanlogin
        UNION ALL
        SELECT 16, 'ledger_triggers', 'fail', 'audit.' || t.table_name, 'the append-only triggers are missing or not ENABLE ALWAYS'
        FROM (VALUES ('operator_ledger'), ('ledger_checkpoints')) AS t(table_name)
        WHERE (
            SELECT count(*)
            FROM pg_catalog.pg_trigger AS g
            WHERE g.tgrelid = to_regclass('audit.' || t.table_name)
                AND g.tgfoid = to_regprocedure('audit.refuse_ledger_change()')
                AND g.tgenabled = 'A'
        ) < 2
        UNION ALL
        SELECT 17, 'triggers_enabled', 'fail', format('%I.%I.%I', m.schema_name, m.table_name, m.trigger_name), m.status
        FROM admin.trigger_monitoring AS m
        WHERE m.status IN ('disabled', 'replica only') OR m.partitions_that_differ > 0
        UNION ALL
        SELECT 18, 'consent_triggers', 'fail', t.table_name, 'the trigger that refuses collection without consent is missing'
        FROM (
            VALUES ('audio.sessions'), ('audio.speech_metrics'), ('content.engagement'), ('analytics.events'), ('ml.child_features')
        ) AS t(table_name)
        WHERE NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_trigger AS g
            WHERE g.tgrelid = to_regclass(t.table_name)
                AND g.tgfoid = to_regprocedure('family.require_consent()')
        )
        UNION ALL
        SELECT 19, 'password_encryption', 'fail', 'password_encryption', format('is %s', current_setting('password_encryption'))
        WHERE current_setting('password_encryption') <> 'scram-sha-256'
        UNION ALL
        SELECT 20, 'transport', 'warn', 'ssl', 'connections are not encrypted by the server'
        WHERE current_setting('ssl') <> 'on'
    ),

    names (ord, check_name) AS (
        VALUES
        (1, 'row_level_security'), (2, 'row_level_security_forced'), (3, 'policies'), (4, 'partition_policies'),
        (5, 'materialized_views'), (6, 'views'), (7, 'table_grants_to_public'), (8, 'definer_search_path'),
        (9, 'definer_public_execute'), (10, 'definer_owner'), (11, 'leakproof'), (12, 'schema_create'),
        (13, 'roles_exist'), (14, 'role_attributes'), (16, 'ledger_triggers'), (17, 'triggers_enabled'),
        (18, 'consent_triggers'), (19, 'password_encryption'), (20, 'transport')
    ),

    -- Every check has at least one row: silence is never mistaken for health.
    result AS (
        SELECT
            p.ord,
            p.check_name,
            p.status,
            p.object,
            p.detail
        FROM problems AS p
        UNION ALL
        SELECT
            n.ord,
            n.check_name,
            'ok',
            NULL::text,
            NULL::text
        FROM names AS n
        WHERE NOT EXISTS (
            SELECT 1
            FROM problems AS p
            WHERE p.check_name = n.check_name
        )
    )

    SELECT
        r.check_name,
        r.status,
        r.object,
        r.detail
    FROM result AS r
    ORDER BY r.ord, r.object;

    -- Stored passwords are visible to superusers only.
    IF has_table_privilege('pg_catalog.pg_authid', 'SELECT') THEN
        RETURN QUERY
        SELECT
            'password_hashes',
            'fail',
            a.rolname::text,
            'the password is not stored as SCRAM-SHA-256'
        FROM pg_catalog.pg_authid AS a
        WHERE a.rolname LIKE 'wondernest\_%'
            AND a.rolpassword NOT LIKE 'SCRAM-SHA-256$%'
        ORDER BY a.rolname;
        IF NOT FOUND THEN
            RETURN QUERY
            SELECT
                'password_hashes',
                'ok',
                NULL::text,
                NULL::text;
        END IF;
    ELSE
        RETURN QUERY
        SELECT
            'password_hashes',
            'unknown',
            NULL::text,
            'only a superuser sees how passwords are stored';
    END IF;
END
$$;
COMMENT ON FUNCTION admin.validate_security_config() IS
'Compares the security of this database with what the setup files make, from the catalogs; one row a problem, or one ok row a check.';

-- ---------------------------------------------------------------------------
-- The first partitions: the previous month, this one and those ahead
-- ---------------------------------------------------------------------------

DO $partitions$
BEGIN
    PERFORM admin.ensure_partitions();
END
$partitions$;
