-- V001__initial_schema.sql: the WonderNest database in one migration, for Flyway.
-- Made of 01_create_database.sql to 07_security_setup.sql by `make v001`; edit those, not this.

-- ===========================================================================
-- 01_create_database.sql
-- ===========================================================================

-- 01_create_database.sql: schemas, extensions and types of the WonderNest database.
-- Run in the database that `createdb` made, as a superuser, before 02_create_tables.sql.
-- Safe to run again. PostgreSQL 15 to 19.

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
-- What must be there before anything is changed
-- ---------------------------------------------------------------------------

DO $need$
DECLARE
    v_schema text;
BEGIN
    IF current_setting('server_version_num')::int < 150000 THEN
        RAISE EXCEPTION 'WonderNest needs PostgreSQL 15 or later, this server is %', current_setting('server_version')
            USING ERRCODE = '0A000';
    END IF;
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'WonderNest needs a database with encoding UTF8, this one has %', current_setting('server_encoding')
            USING ERRCODE = '0A000',
                HINT = 'Create it with: CREATE DATABASE … TEMPLATE template0 ENCODING ''UTF8''.';
    END IF;
    SELECT n.nspname
    INTO v_schema
    FROM pg_catalog.pg_extension AS e
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'pgcrypto';
    IF v_schema IS NULL AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_available_extensions AS a
        WHERE a.name = 'pgcrypto'
    ) THEN
        RAISE EXCEPTION 'the extension pgcrypto is not installed on this server'
            USING ERRCODE = '0A000',
                HINT = 'Install the contrib modules of this PostgreSQL major, then run the files again. Nothing was changed.';
    END IF;
    IF v_schema IS NOT NULL AND v_schema <> 'extensions' THEN
        RAISE EXCEPTION 'the extension pgcrypto is in schema %, WonderNest calls it in schema extensions', v_schema
            USING ERRCODE = '55000',
                HINT = 'Create schema extensions and move it: ALTER EXTENSION pgcrypto SET SCHEMA extensions. Nothing was changed.';
    END IF;
END
$need$;

-- ---------------------------------------------------------------------------
-- Schemas
-- ---------------------------------------------------------------------------

CREATE SCHEMA IF NOT EXISTS extensions;
CREATE SCHEMA IF NOT EXISTS core;
CREATE SCHEMA IF NOT EXISTS family;
CREATE SCHEMA IF NOT EXISTS content;
CREATE SCHEMA IF NOT EXISTS audio;
CREATE SCHEMA IF NOT EXISTS subscription;
CREATE SCHEMA IF NOT EXISTS analytics;
CREATE SCHEMA IF NOT EXISTS safety;
CREATE SCHEMA IF NOT EXISTS ml;
CREATE SCHEMA IF NOT EXISTS audit;
CREATE SCHEMA IF NOT EXISTS admin;

COMMENT ON SCHEMA extensions IS 'Extensions only, so that no application schema mixes with their objects.';
COMMENT ON SCHEMA core IS 'Parent accounts: users, sign-in sessions, tokens, preferences and devices.';
COMMENT ON SCHEMA family IS 'Families, their members, child profiles and the consents of guardians.';
COMMENT ON SCHEMA content IS 'Content library, curation and what children did with the content.';
COMMENT ON SCHEMA audio IS 'Speech sessions and metrics computed on the device. Recordings are never stored.';
COMMENT ON SCHEMA subscription IS 'Plans, subscriptions, payments and invoices; card data stays with the provider.';
COMMENT ON SCHEMA analytics IS 'Usage events, daily metrics, milestones, insights, reports and dashboards.';
COMMENT ON SCHEMA safety IS 'Content ratings, reports, parental controls and incidents.';
COMMENT ON SCHEMA ml IS 'Models, their versions, features per child and recommendations.';
COMMENT ON SCHEMA audit IS 'Trail of data changes, retention, operator ledger and data-subject requests.';
COMMENT ON SCHEMA admin IS 'Views and functions for operators; returns aggregates, never a subject''s rows.';

-- ---------------------------------------------------------------------------
-- Extensions
-- ---------------------------------------------------------------------------

CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA extensions;

-- Statement statistics help operators but no part of the product depends on
-- them: the library has to be preloaded, and managed services may forbid it.
DO $statistics$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM pg_catalog.pg_available_extensions AS a
        WHERE a.name = 'pg_stat_statements'
    ) AND EXISTS (
        SELECT 1
        FROM unnest(string_to_array(current_setting('shared_preload_libraries', true), ',')) AS l(library)
        WHERE trim(BOTH ' "' FROM l.library) = 'pg_stat_statements'
    ) THEN
        CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions;
    END IF;
EXCEPTION
    WHEN insufficient_privilege OR feature_not_supported OR undefined_file THEN
        RAISE NOTICE 'pg_stat_statements was not created: %', SQLERRM;
END
$statistics$;

-- ---------------------------------------------------------------------------
-- Types: only what is stable. Lists that grow are CHECK constraints in 02.
-- ---------------------------------------------------------------------------

DO $types$
BEGIN
    IF to_regtype('core.auth_provider') IS NULL THEN
        CREATE TYPE core.auth_provider AS ENUM ('email', 'google', 'apple', 'facebook', 'microsoft');
    END IF;
    IF to_regtype('core.email_address') IS NULL THEN
        CREATE DOMAIN core.email_address AS text
        CONSTRAINT email_address_check CHECK (length(VALUE) <= 254 AND VALUE ~ '^[^@[:space:]]+@[^@[:space:]]+$');
    END IF;
    IF to_regtype('core.language_tag') IS NULL THEN
        CREATE DOMAIN core.language_tag AS text
        CONSTRAINT language_tag_check CHECK (VALUE ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$');
    END IF;
    IF to_regtype('core.currency_code') IS NULL THEN
        CREATE DOMAIN core.currency_code AS text
        CONSTRAINT currency_code_check CHECK (VALUE ~ '^[A-Z]{3}$');
    END IF;
    IF to_regtype('core.token_digest') IS NULL THEN
        CREATE DOMAIN core.token_digest AS bytea
        CONSTRAINT token_digest_check CHECK (octet_length(VALUE) = 32);
    END IF;
    IF to_regtype('core.unit_interval') IS NULL THEN
        CREATE DOMAIN core.unit_interval AS numeric(5, 4)
        CONSTRAINT unit_interval_check CHECK (VALUE BETWEEN 0 AND 1);
    END IF;
END
$types$;

COMMENT ON TYPE core.auth_provider IS 'Who vouches for a parent''s sign-in; email means a password held here as a hash.';
COMMENT ON DOMAIN core.email_address IS 'An address with one @ and no white space, at most 254 characters.';
COMMENT ON DOMAIN core.language_tag IS 'A BCP 47 language tag such as en or pt-BR; zxx stands for no language.';
COMMENT ON DOMAIN core.currency_code IS 'An ISO 4217 currency code.';
COMMENT ON DOMAIN core.token_digest IS 'The SHA-256 of a token. Tokens themselves are never stored.';
COMMENT ON DOMAIN core.unit_interval IS 'A share or score between 0 and 1.';

-- ===========================================================================
-- 02_create_tables.sql
-- ===========================================================================

-- 02_create_tables.sql: all tables of the WonderNest database with their constraints.
-- Run after 01_create_database.sql. Safe to run again. PostgreSQL 15 to 19.
--
-- Keys are UUIDs. Four tables grow by month and are partitioned; their keys are
-- (id, time) and what refers to them carries both columns. Partitions are made
-- at the end of 04_create_functions.sql. A row that belongs to a subject goes
-- with it (ON DELETE CASCADE); a row that only names an actor loses the name
-- (ON DELETE SET NULL). No column holds a recording or a voiceprint.

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
-- core: parent accounts
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS core.users (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email core.email_address NOT NULL,
    email_normalized text GENERATED ALWAYS AS (lower(email)) STORED,
    email_verified_at timestamptz,
    password_hash text,
    first_name text NOT NULL,
    last_name text,
    auth_provider core.auth_provider NOT NULL DEFAULT 'email',
    external_id text,
    timezone text NOT NULL DEFAULT 'UTC',
    locale core.language_tag NOT NULL DEFAULT 'en',
    status text NOT NULL DEFAULT 'active',
    failed_login_count integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    last_login_at timestamptz,
    password_changed_at timestamptz,
    processing_restricted_at timestamptz,
    legal_hold boolean NOT NULL DEFAULT false,
    is_sample boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_normalized_key UNIQUE (email_normalized),
    CONSTRAINT users_external_identity_key UNIQUE (auth_provider, external_id),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended', 'pending_deletion')),
    CONSTRAINT users_external_id_check CHECK (auth_provider = 'email' OR external_id IS NOT NULL),
    CONSTRAINT users_first_name_check CHECK (length(first_name) BETWEEN 1 AND 100),
    CONSTRAINT users_last_name_check CHECK (length(last_name) BETWEEN 1 AND 100),
    CONSTRAINT users_password_hash_check CHECK (length(password_hash) BETWEEN 1 AND 512),
    CONSTRAINT users_failed_login_count_check CHECK (failed_login_count >= 0)
);
COMMENT ON TABLE core.users IS 'Parent accounts. One row per person who can sign in; children never have one.';
COMMENT ON COLUMN core.users.id IS 'Key of the row.';
COMMENT ON COLUMN core.users.email IS 'Address as the person wrote it.';
COMMENT ON COLUMN core.users.email_normalized IS 'Address in lower case. Look-ups compare this column by plain equality, which row-level security lets use the index.';
COMMENT ON COLUMN core.users.email_verified_at IS 'When the address was proven; NULL until then.';
COMMENT ON COLUMN core.users.password_hash IS 'Hash made by the application; NULL for other providers and where sign-in is impossible.';
COMMENT ON COLUMN core.users.first_name IS 'Given name.';
COMMENT ON COLUMN core.users.last_name IS 'Family name, if given.';
COMMENT ON COLUMN core.users.auth_provider IS 'Who vouches for the sign-in.';
COMMENT ON COLUMN core.users.external_id IS 'The subject identifier at the provider; NULL for e-mail sign-in.';
COMMENT ON COLUMN core.users.timezone IS 'IANA time zone, used to cut days in reports.';
COMMENT ON COLUMN core.users.locale IS 'Language of the interface.';
COMMENT ON COLUMN core.users.status IS 'Whether the account can be used.';
COMMENT ON COLUMN core.users.failed_login_count IS 'Failed sign-ins since the last good one.';
COMMENT ON COLUMN core.users.locked_until IS 'No sign-in before this time.';
COMMENT ON COLUMN core.users.last_login_at IS 'Last good sign-in.';
COMMENT ON COLUMN core.users.password_changed_at IS 'When the password hash was last set.';
COMMENT ON COLUMN core.users.processing_restricted_at IS 'Since when processing is restricted on request (GDPR Article 18).';
COMMENT ON COLUMN core.users.legal_hold IS 'True while the account must not be erased.';
COMMENT ON COLUMN core.users.is_sample IS 'True for the sample accounts of 06; they are left out of analytics.';
COMMENT ON COLUMN core.users.created_at IS 'When the row was made.';
COMMENT ON COLUMN core.users.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS core.user_devices (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    device_identifier text NOT NULL,
    platform text NOT NULL,
    display_name text,
    app_version text,
    push_token text,
    last_seen_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_devices_pkey PRIMARY KEY (id),
    CONSTRAINT user_devices_identifier_key UNIQUE (user_id, device_identifier),
    CONSTRAINT user_devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users (id) ON DELETE CASCADE,
    CONSTRAINT user_devices_platform_check CHECK (platform IN ('ios', 'android', 'web', 'speaker', 'other')),
    CONSTRAINT user_devices_device_identifier_check CHECK (length(device_identifier) BETWEEN 1 AND 200),
    CONSTRAINT user_devices_display_name_check CHECK (length(display_name) <= 100)
);
COMMENT ON TABLE core.user_devices IS 'Phones, tablets and speakers that a parent registered.';
COMMENT ON COLUMN core.user_devices.id IS 'Key of the row.';
COMMENT ON COLUMN core.user_devices.user_id IS 'The parent who registered it.';
COMMENT ON COLUMN core.user_devices.device_identifier IS 'Identifier that the installed app made for itself; not a hardware or advertising identifier.';
COMMENT ON COLUMN core.user_devices.platform IS 'Operating system family.';
COMMENT ON COLUMN core.user_devices.display_name IS 'Name that the parent gave the device.';
COMMENT ON COLUMN core.user_devices.app_version IS 'Version of the app last seen.';
COMMENT ON COLUMN core.user_devices.push_token IS 'Token of the push service; a credential.';
COMMENT ON COLUMN core.user_devices.last_seen_at IS 'Last contact.';
COMMENT ON COLUMN core.user_devices.revoked_at IS 'Since when the device is no longer trusted.';
COMMENT ON COLUMN core.user_devices.created_at IS 'When the row was made.';
COMMENT ON COLUMN core.user_devices.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS core.sessions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    token_hash core.token_digest NOT NULL,
    device_id uuid,
    client_addr inet,
    user_agent text,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_token_hash_key UNIQUE (token_hash),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_device_id_fkey FOREIGN KEY (device_id) REFERENCES core.user_devices (id) ON DELETE SET NULL,
    CONSTRAINT sessions_expires_at_check CHECK (expires_at > created_at),
    CONSTRAINT sessions_user_agent_check CHECK (length(user_agent) <= 512)
);
COMMENT ON TABLE core.sessions IS 'Sign-in sessions of parents. Only the digest of the session token is kept.';
COMMENT ON COLUMN core.sessions.id IS 'Key of the row.';
COMMENT ON COLUMN core.sessions.user_id IS 'Who is signed in.';
COMMENT ON COLUMN core.sessions.token_hash IS 'SHA-256 of the session token; a credential.';
COMMENT ON COLUMN core.sessions.device_id IS 'The device it was opened on, if registered.';
COMMENT ON COLUMN core.sessions.client_addr IS 'Address the session was opened from.';
COMMENT ON COLUMN core.sessions.user_agent IS 'Program the session was opened with.';
COMMENT ON COLUMN core.sessions.last_seen_at IS 'Last use.';
COMMENT ON COLUMN core.sessions.expires_at IS 'End of validity.';
COMMENT ON COLUMN core.sessions.revoked_at IS 'When it was ended early, by sign-out or for safety.';
COMMENT ON COLUMN core.sessions.created_at IS 'When the row was made.';

CREATE TABLE IF NOT EXISTS core.user_tokens (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    token_hash core.token_digest NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT user_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT user_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users (id) ON DELETE CASCADE,
    CONSTRAINT user_tokens_purpose_check CHECK (purpose IN ('password_reset', 'email_verification', 'device_pairing')),
    CONSTRAINT user_tokens_expires_at_check CHECK (expires_at > created_at)
);
COMMENT ON TABLE core.user_tokens IS 'One-time tokens sent to a parent, as digests: password reset and proof of address.';
COMMENT ON COLUMN core.user_tokens.id IS 'Key of the row.';
COMMENT ON COLUMN core.user_tokens.user_id IS 'For whom it is.';
COMMENT ON COLUMN core.user_tokens.purpose IS 'What the token allows.';
COMMENT ON COLUMN core.user_tokens.token_hash IS 'SHA-256 of the token; a credential.';
COMMENT ON COLUMN core.user_tokens.expires_at IS 'End of validity.';
COMMENT ON COLUMN core.user_tokens.used_at IS 'When it was used; a token works once.';
COMMENT ON COLUMN core.user_tokens.created_at IS 'When the row was made.';

CREATE TABLE IF NOT EXISTS core.user_preferences (
    user_id uuid NOT NULL,
    email_notifications boolean NOT NULL DEFAULT true,
    push_notifications boolean NOT NULL DEFAULT true,
    weekly_summary boolean NOT NULL DEFAULT true,
    marketing_opt_in boolean NOT NULL DEFAULT false,
    quiet_hours_start time,
    quiet_hours_end time,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_preferences_pkey PRIMARY KEY (user_id),
    CONSTRAINT user_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users (id) ON DELETE CASCADE,
    CONSTRAINT user_preferences_quiet_hours_check CHECK ((quiet_hours_start IS NULL) = (quiet_hours_end IS NULL)),
    CONSTRAINT user_preferences_settings_check CHECK (jsonb_typeof(settings) = 'object')
);
COMMENT ON TABLE core.user_preferences IS 'Settings of a parent''s account.';
COMMENT ON COLUMN core.user_preferences.user_id IS 'Whose settings they are.';
COMMENT ON COLUMN core.user_preferences.email_notifications IS 'Whether service messages may be mailed.';
COMMENT ON COLUMN core.user_preferences.push_notifications IS 'Whether service messages may be pushed.';
COMMENT ON COLUMN core.user_preferences.weekly_summary IS 'Whether the weekly summary is sent.';
COMMENT ON COLUMN core.user_preferences.marketing_opt_in IS 'Whether marketing may be sent; off unless chosen.';
COMMENT ON COLUMN core.user_preferences.quiet_hours_start IS 'Begin of the hours without messages, local time.';
COMMENT ON COLUMN core.user_preferences.quiet_hours_end IS 'End of the hours without messages, local time.';
COMMENT ON COLUMN core.user_preferences.settings IS 'Further settings of the interface; never about a child.';
COMMENT ON COLUMN core.user_preferences.created_at IS 'When the row was made.';
COMMENT ON COLUMN core.user_preferences.updated_at IS 'When the row was last changed; set by a trigger.';

-- ---------------------------------------------------------------------------
-- family: households, children, consent
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS family.families (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_by uuid,
    timezone text NOT NULL DEFAULT 'UTC',
    legal_hold boolean NOT NULL DEFAULT false,
    is_sample boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT families_pkey PRIMARY KEY (id),
    CONSTRAINT families_created_by_fkey FOREIGN KEY (created_by) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT families_name_check CHECK (length(name) BETWEEN 1 AND 100)
);
COMMENT ON TABLE family.families IS 'Households. Access to everything about a child goes through membership of its family.';
COMMENT ON COLUMN family.families.id IS 'Key of the row.';
COMMENT ON COLUMN family.families.name IS 'Name of the household; may carry a surname.';
COMMENT ON COLUMN family.families.created_by IS 'The parent who made it; NULL once that account is erased. Grants nothing: membership does.';
COMMENT ON COLUMN family.families.timezone IS 'IANA time zone in which the family''s days begin.';
COMMENT ON COLUMN family.families.legal_hold IS 'True while nothing of the family may be erased.';
COMMENT ON COLUMN family.families.is_sample IS 'True for the sample families of 06.';
COMMENT ON COLUMN family.families.created_at IS 'When the row was made.';
COMMENT ON COLUMN family.families.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS family.family_members (
    family_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL DEFAULT 'guardian',
    can_consent boolean NOT NULL DEFAULT false,
    joined_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT family_members_pkey PRIMARY KEY (family_id, user_id),
    CONSTRAINT family_members_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT family_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users (id) ON DELETE CASCADE,
    CONSTRAINT family_members_role_check CHECK (role IN ('guardian', 'caregiver', 'viewer')),
    CONSTRAINT family_members_can_consent_check CHECK (NOT can_consent OR role = 'guardian')
);
COMMENT ON TABLE family.family_members IS 'Which parents belong to which family, and as what.';
COMMENT ON COLUMN family.family_members.family_id IS 'The family.';
COMMENT ON COLUMN family.family_members.user_id IS 'The member.';
COMMENT ON COLUMN family.family_members.role IS 'Guardians decide; caregivers help; viewers look.';
COMMENT ON COLUMN family.family_members.can_consent IS 'Whether this member may give consent for the children.';
COMMENT ON COLUMN family.family_members.joined_at IS 'Since when.';
COMMENT ON COLUMN family.family_members.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS family.invitations (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid NOT NULL,
    invited_by uuid,
    email core.email_address NOT NULL,
    email_normalized text GENERATED ALWAYS AS (lower(email)) STORED,
    role text NOT NULL DEFAULT 'guardian',
    token_hash core.token_digest NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_by uuid,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invitations_pkey PRIMARY KEY (id),
    CONSTRAINT invitations_token_hash_key UNIQUE (token_hash),
    CONSTRAINT invitations_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT invitations_accepted_by_fkey FOREIGN KEY (accepted_by) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT invitations_role_check CHECK (role IN ('guardian', 'caregiver', 'viewer')),
    CONSTRAINT invitations_expires_at_check CHECK (expires_at > created_at)
);
COMMENT ON TABLE family.invitations IS 'Invitations into a family, as digests of the token that was sent.';
COMMENT ON COLUMN family.invitations.id IS 'Key of the row.';
COMMENT ON COLUMN family.invitations.family_id IS 'The family one is invited to.';
COMMENT ON COLUMN family.invitations.invited_by IS 'Who invited; NULL once that account is erased.';
COMMENT ON COLUMN family.invitations.email IS 'Address the invitation was sent to.';
COMMENT ON COLUMN family.invitations.email_normalized IS 'Address in lower case, compared with the account that accepts.';
COMMENT ON COLUMN family.invitations.role IS 'Role on joining.';
COMMENT ON COLUMN family.invitations.token_hash IS 'SHA-256 of the invitation token; a credential.';
COMMENT ON COLUMN family.invitations.expires_at IS 'End of validity.';
COMMENT ON COLUMN family.invitations.accepted_at IS 'When it was accepted.';
COMMENT ON COLUMN family.invitations.accepted_by IS 'Which account accepted it.';
COMMENT ON COLUMN family.invitations.revoked_at IS 'When it was withdrawn.';
COMMENT ON COLUMN family.invitations.created_at IS 'When the row was made.';

CREATE TABLE IF NOT EXISTS family.child_profiles (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid NOT NULL,
    first_name text NOT NULL,
    birth_date date NOT NULL,
    gender text,
    primary_language core.language_tag NOT NULL DEFAULT 'en',
    interests text[] NOT NULL DEFAULT '{}',
    processing_restricted_at timestamptz,
    restriction_reason text,
    collection_stopped_at timestamptz,
    custody_review boolean NOT NULL DEFAULT false,
    legal_hold boolean NOT NULL DEFAULT false,
    is_sample boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT child_profiles_pkey PRIMARY KEY (id),
    CONSTRAINT child_profiles_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT child_profiles_first_name_check CHECK (length(first_name) BETWEEN 1 AND 50),
    CONSTRAINT child_profiles_birth_date_check CHECK (birth_date >= '1990-01-01'),
    CONSTRAINT child_profiles_gender_check CHECK (gender IN ('female', 'male', 'other', 'undisclosed')),
    CONSTRAINT child_profiles_interests_check CHECK (
        cardinality(interests) <= 50 AND array_position(interests, NULL) IS NULL
    ),
    CONSTRAINT child_profiles_restriction_reason_check CHECK (
        restriction_reason IN (
            'guardian_request', 'consent_lapsed', 'dispute', 'verification', 'other'
        )
    ),
    CONSTRAINT child_profiles_restriction_check CHECK (
        (processing_restricted_at IS NULL) = (restriction_reason IS NULL)
    )
);
COMMENT ON TABLE family.child_profiles IS 'Children, with as little as the service needs: no family name, no address, no picture.';
COMMENT ON COLUMN family.child_profiles.id IS 'Key of the row.';
COMMENT ON COLUMN family.child_profiles.family_id IS 'The family the child belongs to.';
COMMENT ON COLUMN family.child_profiles.first_name IS 'Given name or nickname.';
COMMENT ON COLUMN family.child_profiles.birth_date IS 'Day of birth; ages are computed from it.';
COMMENT ON COLUMN family.child_profiles.gender IS 'As the guardian stated it, if at all.';
COMMENT ON COLUMN family.child_profiles.primary_language IS 'Language mostly spoken at home.';
COMMENT ON COLUMN family.child_profiles.interests IS 'Topics the child likes; slugs of content categories as a rule.';
COMMENT ON COLUMN family.child_profiles.processing_restricted_at IS 'Since when processing is restricted: a request, or no guardian left who consented.';
COMMENT ON COLUMN family.child_profiles.restriction_reason IS 'Why it is restricted.';
COMMENT ON COLUMN family.child_profiles.collection_stopped_at IS 'Since when a guardian refuses further collection (COPPA 312.6); what is stored stays until deletion is asked for.';
COMMENT ON COLUMN family.child_profiles.custody_review IS 'True while guardians dispute: requests need a person''s review.';
COMMENT ON COLUMN family.child_profiles.legal_hold IS 'True while nothing of the child may be erased.';
COMMENT ON COLUMN family.child_profiles.is_sample IS 'True for the sample children of 06.';
COMMENT ON COLUMN family.child_profiles.created_at IS 'When the row was made.';
COMMENT ON COLUMN family.child_profiles.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS family.guardian_consents (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    child_id uuid NOT NULL,
    guardian_user_id uuid,
    consent_type text NOT NULL,
    method text NOT NULL,
    is_verifiable boolean GENERATED ALWAYS AS (
        method IN ('credit_card', 'signed_form', 'video_call', 'government_id', 'knowledge_based', 'toll_free_call')
    ) STORED,
    policy_version text NOT NULL,
    evidence_ref text,
    granted_at timestamptz NOT NULL DEFAULT now(),
    recorded_by text NOT NULL DEFAULT session_user,
    withdrawn_at timestamptz,
    withdrawn_by uuid,
    withdrawal_reason text,
    CONSTRAINT guardian_consents_pkey PRIMARY KEY (id),
    CONSTRAINT guardian_consents_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT guardian_consents_guardian_user_id_fkey FOREIGN KEY (guardian_user_id)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT guardian_consents_withdrawn_by_fkey FOREIGN KEY (withdrawn_by)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT guardian_consents_consent_type_check CHECK (
        consent_type IN (
            'data_collection', 'audio_analysis', 'personalization', 'research'
        )
    ),
    CONSTRAINT guardian_consents_method_check CHECK (
        method IN (
            'self_declared', 'operator_recorded', 'email_plus', 'credit_card', 'signed_form',
            'video_call', 'government_id', 'knowledge_based', 'toll_free_call'
        )
    ),
    CONSTRAINT guardian_consents_withdrawal_reason_check CHECK (
        withdrawal_reason IN (
            'guardian_request', 'guardian_left', 'superseded', 'expired', 'operator'
        )
    ),
    CONSTRAINT guardian_consents_withdrawal_check CHECK ((withdrawn_at IS NULL) = (withdrawal_reason IS NULL)),
    CONSTRAINT guardian_consents_withdrawn_at_check CHECK (withdrawn_at >= granted_at)
);
COMMENT ON TABLE family.guardian_consents IS 'Consents of guardians for a child, with the method by which each was obtained. Collection depends on them.';
COMMENT ON COLUMN family.guardian_consents.id IS 'Key of the row.';
COMMENT ON COLUMN family.guardian_consents.child_id IS 'The child.';
COMMENT ON COLUMN family.guardian_consents.guardian_user_id IS 'Who consented; NULL once that account is erased, which also withdraws the consent.';
COMMENT ON COLUMN family.guardian_consents.consent_type IS 'What was consented to.';
COMMENT ON COLUMN family.guardian_consents.method IS 'How consent was obtained; see is_verifiable.';
COMMENT ON COLUMN family.guardian_consents.is_verifiable IS 'True when the method is one of verifiable parental consent (COPPA 312.5).';
COMMENT ON COLUMN family.guardian_consents.policy_version IS 'Version of the notice that was shown.';
COMMENT ON COLUMN family.guardian_consents.evidence_ref IS 'Where the proof is kept; never the proof itself.';
COMMENT ON COLUMN family.guardian_consents.granted_at IS 'When it was given.';
COMMENT ON COLUMN family.guardian_consents.recorded_by IS 'Database login that recorded it.';
COMMENT ON COLUMN family.guardian_consents.withdrawn_at IS 'When it ended.';
COMMENT ON COLUMN family.guardian_consents.withdrawn_by IS 'Which guardian ended it.';
COMMENT ON COLUMN family.guardian_consents.withdrawal_reason IS 'Why it ended.';

CREATE TABLE IF NOT EXISTS family.child_notes (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    child_id uuid NOT NULL,
    author_id uuid,
    note_encrypted bytea NOT NULL,
    note_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT child_notes_pkey PRIMARY KEY (id),
    CONSTRAINT child_notes_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT child_notes_author_id_fkey FOREIGN KEY (author_id) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT child_notes_note_key_id_check CHECK (length(note_key_id) BETWEEN 1 AND 100)
);
COMMENT ON TABLE family.child_notes IS 'Notes of guardians about a child, encrypted with the key of the session.';
COMMENT ON COLUMN family.child_notes.id IS 'Key of the row.';
COMMENT ON COLUMN family.child_notes.child_id IS 'The child.';
COMMENT ON COLUMN family.child_notes.author_id IS 'Who wrote it; NULL once that account is erased.';
COMMENT ON COLUMN family.child_notes.note_encrypted IS 'The text, encrypted with pgcrypto.';
COMMENT ON COLUMN family.child_notes.note_key_id IS 'Which key encrypted it.';
COMMENT ON COLUMN family.child_notes.created_at IS 'When the row was made.';
COMMENT ON COLUMN family.child_notes.updated_at IS 'When the row was last changed; set by a trigger.';

-- ---------------------------------------------------------------------------
-- content: library, curation, engagement
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS content.creators (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'organization',
    website_url text,
    is_verified boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'active',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT creators_pkey PRIMARY KEY (id),
    CONSTRAINT creators_name_key UNIQUE (name),
    CONSTRAINT creators_kind_check CHECK (kind IN ('organization', 'individual', 'in_house')),
    CONSTRAINT creators_status_check CHECK (status IN ('active', 'suspended')),
    CONSTRAINT creators_name_check CHECK (length(name) BETWEEN 1 AND 200)
);
COMMENT ON TABLE content.creators IS 'Publishers and studios whose content is in the library.';
COMMENT ON COLUMN content.creators.id IS 'Key of the row.';
COMMENT ON COLUMN content.creators.name IS 'Public name.';
COMMENT ON COLUMN content.creators.kind IS 'What the creator is.';
COMMENT ON COLUMN content.creators.website_url IS 'Public site.';
COMMENT ON COLUMN content.creators.is_verified IS 'Whether curation verified the creator.';
COMMENT ON COLUMN content.creators.status IS 'Whether new content is taken.';
COMMENT ON COLUMN content.creators.created_at IS 'When the row was made.';
COMMENT ON COLUMN content.creators.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS content.categories (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    slug text NOT NULL,
    name text NOT NULL,
    description text,
    parent_id uuid,
    sort_order integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT categories_pkey PRIMARY KEY (id),
    CONSTRAINT categories_slug_key UNIQUE (slug),
    CONSTRAINT categories_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES content.categories (id) ON DELETE RESTRICT,
    CONSTRAINT categories_slug_check CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT categories_parent_id_check CHECK (parent_id <> id)
);
COMMENT ON TABLE content.categories IS 'Tree of topics.';
COMMENT ON COLUMN content.categories.id IS 'Key of the row.';
COMMENT ON COLUMN content.categories.slug IS 'Stable short name, used as an interest too.';
COMMENT ON COLUMN content.categories.name IS 'Name shown.';
COMMENT ON COLUMN content.categories.description IS 'What belongs here.';
COMMENT ON COLUMN content.categories.parent_id IS 'The wider topic; NULL at the top.';
COMMENT ON COLUMN content.categories.sort_order IS 'Place among its siblings.';
COMMENT ON COLUMN content.categories.created_at IS 'When the row was made.';
COMMENT ON COLUMN content.categories.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS content.items (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    title text NOT NULL,
    description text,
    content_type text NOT NULL,
    creator_id uuid,
    language core.language_tag NOT NULL DEFAULT 'en',
    min_age_months smallint NOT NULL,
    max_age_months smallint NOT NULL,
    duration_seconds integer,
    source_url text,
    thumbnail_url text,
    learning_goals text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'draft',
    safety_level smallint NOT NULL DEFAULT 1,
    quality_score core.unit_interval NOT NULL DEFAULT 0.5,
    popularity_score core.unit_interval NOT NULL DEFAULT 0,
    rank_score numeric(6, 5) GENERATED ALWAYS AS (0.7 * quality_score + 0.3 * popularity_score) STORED,
    published_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT items_pkey PRIMARY KEY (id),
    CONSTRAINT items_creator_id_fkey FOREIGN KEY (creator_id) REFERENCES content.creators (id) ON DELETE RESTRICT,
    CONSTRAINT items_content_type_check CHECK (content_type IN ('video', 'audio', 'book', 'game', 'activity', 'song')),
    CONSTRAINT items_status_check CHECK (status IN ('draft', 'in_review', 'approved', 'rejected', 'archived')),
    CONSTRAINT items_title_check CHECK (length(title) BETWEEN 1 AND 300),
    -- Not BETWEEN beside another AND: a dump and a restore would print the nesting differently.
    CONSTRAINT items_age_range_check CHECK (
        min_age_months >= 0 AND min_age_months <= max_age_months AND max_age_months <= 227
    ),
    CONSTRAINT items_duration_seconds_check CHECK (duration_seconds > 0),
    CONSTRAINT items_safety_level_check CHECK (safety_level BETWEEN 1 AND 5),
    CONSTRAINT items_published_at_check CHECK (status <> 'approved' OR published_at IS NOT NULL)
);
COMMENT ON TABLE content.items IS 'The content library.';
COMMENT ON COLUMN content.items.id IS 'Key of the row.';
COMMENT ON COLUMN content.items.title IS 'Title shown.';
COMMENT ON COLUMN content.items.description IS 'What it is about.';
COMMENT ON COLUMN content.items.content_type IS 'Kind of content.';
COMMENT ON COLUMN content.items.creator_id IS 'Who made it.';
COMMENT ON COLUMN content.items.language IS 'Language of the content; zxx where none is spoken.';
COMMENT ON COLUMN content.items.min_age_months IS 'Youngest age it suits, in completed months.';
COMMENT ON COLUMN content.items.max_age_months IS 'Oldest age it suits, in completed months, inclusive.';
COMMENT ON COLUMN content.items.duration_seconds IS 'Length, where it has one.';
COMMENT ON COLUMN content.items.source_url IS 'Where it is delivered from.';
COMMENT ON COLUMN content.items.thumbnail_url IS 'Picture shown in lists.';
COMMENT ON COLUMN content.items.learning_goals IS 'What it trains.';
COMMENT ON COLUMN content.items.status IS 'Stage of curation; only approved items reach children.';
COMMENT ON COLUMN content.items.safety_level IS 'From 1, for everyone, to 5, for the oldest children only.';
COMMENT ON COLUMN content.items.quality_score IS 'Judgement of curation.';
COMMENT ON COLUMN content.items.popularity_score IS 'How much it is used, recomputed by a job.';
COMMENT ON COLUMN content.items.rank_score IS 'Order of lists, best first.';
COMMENT ON COLUMN content.items.published_at IS 'When it was approved first.';
COMMENT ON COLUMN content.items.created_at IS 'When the row was made.';
COMMENT ON COLUMN content.items.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS content.item_age_bands (
    item_id uuid NOT NULL,
    age_year smallint NOT NULL,
    content_type text NOT NULL,
    language core.language_tag NOT NULL,
    min_age_months smallint NOT NULL,
    max_age_months smallint NOT NULL,
    safety_level smallint NOT NULL,
    rank_score numeric(6, 5) NOT NULL,
    CONSTRAINT item_age_bands_pkey PRIMARY KEY (item_id, age_year),
    CONSTRAINT item_age_bands_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE
);
COMMENT ON TABLE content.item_age_bands IS 'Approved items by year of age, kept by a trigger on content.items, so that a child''s list comes from one index in order.';
COMMENT ON COLUMN content.item_age_bands.item_id IS 'The item.';
COMMENT ON COLUMN content.item_age_bands.age_year IS 'Completed year of age that the item suits at least in part.';
COMMENT ON COLUMN content.item_age_bands.content_type IS 'Copy from the item.';
COMMENT ON COLUMN content.item_age_bands.language IS 'Copy from the item.';
COMMENT ON COLUMN content.item_age_bands.min_age_months IS 'Copy from the item.';
COMMENT ON COLUMN content.item_age_bands.max_age_months IS 'Copy from the item.';
COMMENT ON COLUMN content.item_age_bands.safety_level IS 'Copy from the item.';
COMMENT ON COLUMN content.item_age_bands.rank_score IS 'Copy from the item.';

CREATE TABLE IF NOT EXISTS content.item_categories (
    item_id uuid NOT NULL,
    category_id uuid NOT NULL,
    is_primary boolean NOT NULL DEFAULT false,
    CONSTRAINT item_categories_pkey PRIMARY KEY (item_id, category_id),
    CONSTRAINT item_categories_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE,
    CONSTRAINT item_categories_category_id_fkey FOREIGN KEY (category_id)
        REFERENCES content.categories (id) ON DELETE RESTRICT
);
COMMENT ON TABLE content.item_categories IS 'Topics of an item.';
COMMENT ON COLUMN content.item_categories.item_id IS 'The item.';
COMMENT ON COLUMN content.item_categories.category_id IS 'The topic.';
COMMENT ON COLUMN content.item_categories.is_primary IS 'True for the main topic.';

CREATE TABLE IF NOT EXISTS content.curation_reviews (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    item_id uuid NOT NULL,
    reviewer_id uuid,
    decision text NOT NULL,
    quality_score core.unit_interval,
    safety_level smallint,
    remarks text,
    reviewed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT curation_reviews_pkey PRIMARY KEY (id),
    CONSTRAINT curation_reviews_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE,
    CONSTRAINT curation_reviews_reviewer_id_fkey FOREIGN KEY (reviewer_id)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT curation_reviews_decision_check CHECK (decision IN ('approve', 'reject', 'needs_changes')),
    CONSTRAINT curation_reviews_safety_level_check CHECK (safety_level BETWEEN 1 AND 5)
);
COMMENT ON TABLE content.curation_reviews IS 'Decisions of curation about an item.';
COMMENT ON COLUMN content.curation_reviews.id IS 'Key of the row.';
COMMENT ON COLUMN content.curation_reviews.item_id IS 'The item.';
COMMENT ON COLUMN content.curation_reviews.reviewer_id IS 'The account that reviewed; NULL for reviews by staff without one, and after erasure.';
COMMENT ON COLUMN content.curation_reviews.decision IS 'Outcome.';
COMMENT ON COLUMN content.curation_reviews.quality_score IS 'Score given.';
COMMENT ON COLUMN content.curation_reviews.safety_level IS 'Safety level given.';
COMMENT ON COLUMN content.curation_reviews.remarks IS 'Reasons, about the content only.';
COMMENT ON COLUMN content.curation_reviews.reviewed_at IS 'When.';

CREATE TABLE IF NOT EXISTS content.collections (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid,
    created_by uuid,
    name text NOT NULL,
    description text,
    is_published boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT collections_pkey PRIMARY KEY (id),
    CONSTRAINT collections_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT collections_created_by_fkey FOREIGN KEY (created_by) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT collections_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT collections_is_published_check CHECK (NOT is_published OR family_id IS NULL)
);
COMMENT ON TABLE content.collections IS 'Lists of content: made by curation for everyone, or by a family for itself.';
COMMENT ON COLUMN content.collections.id IS 'Key of the row.';
COMMENT ON COLUMN content.collections.family_id IS 'The family it belongs to; NULL for lists of curation.';
COMMENT ON COLUMN content.collections.created_by IS 'Who made it; NULL for curation and after erasure.';
COMMENT ON COLUMN content.collections.name IS 'Name shown.';
COMMENT ON COLUMN content.collections.description IS 'What it is for.';
COMMENT ON COLUMN content.collections.is_published IS 'Whether everyone sees it; only lists of curation can be.';
COMMENT ON COLUMN content.collections.created_at IS 'When the row was made.';
COMMENT ON COLUMN content.collections.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS content.collection_items (
    collection_id uuid NOT NULL,
    item_id uuid NOT NULL,
    position integer NOT NULL DEFAULT 0,
    added_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT collection_items_pkey PRIMARY KEY (collection_id, item_id),
    CONSTRAINT collection_items_collection_id_fkey FOREIGN KEY (collection_id)
        REFERENCES content.collections (id) ON DELETE CASCADE,
    CONSTRAINT collection_items_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE
);
COMMENT ON TABLE content.collection_items IS 'Content in a collection, in order.';
COMMENT ON COLUMN content.collection_items.collection_id IS 'The collection.';
COMMENT ON COLUMN content.collection_items.item_id IS 'The item.';
COMMENT ON COLUMN content.collection_items.position IS 'Place in the list.';
COMMENT ON COLUMN content.collection_items.added_at IS 'When it was added.';

CREATE TABLE IF NOT EXISTS content.engagement (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    child_id uuid NOT NULL,
    item_id uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    duration_seconds integer NOT NULL DEFAULT 0,
    progress core.unit_interval NOT NULL DEFAULT 0,
    completed boolean NOT NULL DEFAULT false,
    interaction_count integer NOT NULL DEFAULT 0,
    rating smallint,
    CONSTRAINT engagement_pkey PRIMARY KEY (id, started_at),
    CONSTRAINT engagement_child_id_fkey FOREIGN KEY (child_id) REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT engagement_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE RESTRICT,
    CONSTRAINT engagement_ended_at_check CHECK (ended_at >= started_at),
    CONSTRAINT engagement_duration_seconds_check CHECK (duration_seconds BETWEEN 0 AND 86400),
    CONSTRAINT engagement_interaction_count_check CHECK (interaction_count >= 0),
    CONSTRAINT engagement_rating_check CHECK (rating BETWEEN 1 AND 5)
)
PARTITION BY RANGE (started_at);
COMMENT ON TABLE content.engagement IS 'What a child did with an item, one row per visit. Partitioned by month of started_at (UTC).';
COMMENT ON COLUMN content.engagement.id IS 'Key of the row.';
COMMENT ON COLUMN content.engagement.child_id IS 'The child.';
COMMENT ON COLUMN content.engagement.item_id IS 'The item.';
COMMENT ON COLUMN content.engagement.started_at IS 'Begin of the visit; partition key.';
COMMENT ON COLUMN content.engagement.ended_at IS 'End of the visit; NULL while it runs.';
COMMENT ON COLUMN content.engagement.duration_seconds IS 'Active time.';
COMMENT ON COLUMN content.engagement.progress IS 'Share of the item that was seen.';
COMMENT ON COLUMN content.engagement.completed IS 'Whether it was seen to the end.';
COMMENT ON COLUMN content.engagement.interaction_count IS 'Taps, answers and the like.';
COMMENT ON COLUMN content.engagement.rating IS 'Stars the child or a guardian gave, 1 to 5.';

-- ---------------------------------------------------------------------------
-- audio: speech sessions and metrics
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS audio.sessions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    child_id uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    location text NOT NULL DEFAULT 'home',
    device text,
    status text NOT NULL DEFAULT 'active',
    quality_score core.unit_interval,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id, started_at),
    CONSTRAINT sessions_child_id_fkey FOREIGN KEY (child_id) REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT sessions_location_check CHECK (
        location IN (
            'home', 'daycare', 'school', 'outdoors', 'vehicle', 'other'
        )
    ),
    CONSTRAINT sessions_status_check CHECK (status IN ('active', 'completed', 'abandoned')),
    CONSTRAINT sessions_device_check CHECK (length(device) BETWEEN 1 AND 100),
    CONSTRAINT sessions_ended_at_check CHECK (ended_at >= started_at),
    CONSTRAINT sessions_end_check CHECK ((status = 'active') = (ended_at IS NULL))
)
PARTITION BY RANGE (started_at);
COMMENT ON TABLE audio.sessions IS 'Times during which speech was measured. No recording exists: the device keeps metrics only. Partitioned by month of started_at (UTC).';
COMMENT ON COLUMN audio.sessions.id IS 'Key of the row.';
COMMENT ON COLUMN audio.sessions.child_id IS 'The child.';
COMMENT ON COLUMN audio.sessions.started_at IS 'Begin; partition key.';
COMMENT ON COLUMN audio.sessions.ended_at IS 'End; NULL while it runs.';
COMMENT ON COLUMN audio.sessions.location IS 'Kind of place, not a position.';
COMMENT ON COLUMN audio.sessions.device IS 'Label of the measuring device.';
COMMENT ON COLUMN audio.sessions.status IS 'Stage.';
COMMENT ON COLUMN audio.sessions.quality_score IS 'How usable the measurement was.';
COMMENT ON COLUMN audio.sessions.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS audio.speech_metrics (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    session_id uuid NOT NULL,
    session_started_at timestamptz NOT NULL,
    child_id uuid NOT NULL,
    window_start timestamptz NOT NULL,
    window_seconds integer NOT NULL,
    adult_word_count integer NOT NULL DEFAULT 0,
    child_vocalization_count integer NOT NULL DEFAULT 0,
    conversational_turns integer NOT NULL DEFAULT 0,
    unique_word_estimate integer,
    mean_utterance_words numeric(5, 2),
    media_seconds integer NOT NULL DEFAULT 0,
    noise_level_db numeric(5, 1),
    language core.language_tag,
    algorithm_version text NOT NULL DEFAULT '1',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT speech_metrics_pkey PRIMARY KEY (id),
    CONSTRAINT speech_metrics_session_id_fkey FOREIGN KEY (session_id, session_started_at)
        REFERENCES audio.sessions (id, started_at) ON DELETE CASCADE,
    CONSTRAINT speech_metrics_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT speech_metrics_window_key UNIQUE (session_id, session_started_at, window_start),
    CONSTRAINT speech_metrics_window_seconds_check CHECK (window_seconds BETWEEN 1 AND 86400),
    CONSTRAINT speech_metrics_counts_check CHECK (
        least(
            adult_word_count, child_vocalization_count, conversational_turns, media_seconds,
            coalesce(unique_word_estimate, 0)
        ) >= 0
    ),
    CONSTRAINT speech_metrics_media_seconds_check CHECK (media_seconds <= window_seconds),
    CONSTRAINT speech_metrics_mean_utterance_words_check CHECK (mean_utterance_words >= 0),
    CONSTRAINT speech_metrics_noise_level_db_check CHECK (noise_level_db BETWEEN -100 AND 200)
);
COMMENT ON TABLE audio.speech_metrics IS 'Counts per stretch of a speech session, computed on the device: neither sound, nor words, nor anything that tells one voice from another.';
COMMENT ON COLUMN audio.speech_metrics.id IS 'Key of the row.';
COMMENT ON COLUMN audio.speech_metrics.session_id IS 'The session.';
COMMENT ON COLUMN audio.speech_metrics.session_started_at IS 'Begin of the session; second half of its key.';
COMMENT ON COLUMN audio.speech_metrics.child_id IS 'The child; copied from the session.';
COMMENT ON COLUMN audio.speech_metrics.window_start IS 'Begin of the stretch.';
COMMENT ON COLUMN audio.speech_metrics.window_seconds IS 'Length of the stretch.';
COMMENT ON COLUMN audio.speech_metrics.adult_word_count IS 'Words spoken by adults, counted.';
COMMENT ON COLUMN audio.speech_metrics.child_vocalization_count IS 'Utterances of the child, counted.';
COMMENT ON COLUMN audio.speech_metrics.conversational_turns IS 'Exchanges between child and adult.';
COMMENT ON COLUMN audio.speech_metrics.unique_word_estimate IS 'Estimated number of different words; the words are not kept.';
COMMENT ON COLUMN audio.speech_metrics.mean_utterance_words IS 'Mean length of the child''s utterances, in words.';
COMMENT ON COLUMN audio.speech_metrics.media_seconds IS 'Time with sound from a screen or radio.';
COMMENT ON COLUMN audio.speech_metrics.noise_level_db IS 'Background noise.';
COMMENT ON COLUMN audio.speech_metrics.language IS 'Language mostly heard, if it could be told.';
COMMENT ON COLUMN audio.speech_metrics.algorithm_version IS 'Version of the counting on the device.';
COMMENT ON COLUMN audio.speech_metrics.created_at IS 'When the row was made.';

CREATE TABLE IF NOT EXISTS audio.session_archive (
    session_id uuid NOT NULL,
    child_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    location text NOT NULL,
    status text NOT NULL,
    quality_score core.unit_interval,
    measured_seconds integer NOT NULL DEFAULT 0,
    adult_word_count integer NOT NULL DEFAULT 0,
    child_vocalization_count integer NOT NULL DEFAULT 0,
    conversational_turns integer NOT NULL DEFAULT 0,
    media_seconds integer NOT NULL DEFAULT 0,
    archived_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT session_archive_pkey PRIMARY KEY (session_id),
    CONSTRAINT session_archive_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE
);
COMMENT ON TABLE audio.session_archive IS 'Speech sessions past their time, one row each with the sums of their metrics.';
COMMENT ON COLUMN audio.session_archive.session_id IS 'Key of the former session.';
COMMENT ON COLUMN audio.session_archive.child_id IS 'The child.';
COMMENT ON COLUMN audio.session_archive.started_at IS 'Begin.';
COMMENT ON COLUMN audio.session_archive.ended_at IS 'End.';
COMMENT ON COLUMN audio.session_archive.location IS 'Kind of place.';
COMMENT ON COLUMN audio.session_archive.status IS 'Last stage.';
COMMENT ON COLUMN audio.session_archive.quality_score IS 'How usable the measurement was.';
COMMENT ON COLUMN audio.session_archive.measured_seconds IS 'Sum of the stretches.';
COMMENT ON COLUMN audio.session_archive.adult_word_count IS 'Sum.';
COMMENT ON COLUMN audio.session_archive.child_vocalization_count IS 'Sum.';
COMMENT ON COLUMN audio.session_archive.conversational_turns IS 'Sum.';
COMMENT ON COLUMN audio.session_archive.media_seconds IS 'Sum.';
COMMENT ON COLUMN audio.session_archive.archived_at IS 'When it was archived.';

-- ---------------------------------------------------------------------------
-- subscription: plans, payments, invoices
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS subscription.plans (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    code text NOT NULL,
    name text NOT NULL,
    description text,
    price_cents integer NOT NULL,
    currency core.currency_code NOT NULL DEFAULT 'USD',
    billing_interval text NOT NULL,
    max_children smallint,
    features jsonb NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT plans_pkey PRIMARY KEY (id),
    CONSTRAINT plans_code_key UNIQUE (code),
    CONSTRAINT plans_billing_interval_check CHECK (billing_interval IN ('none', 'month', 'year')),
    CONSTRAINT plans_price_cents_check CHECK (price_cents >= 0),
    CONSTRAINT plans_max_children_check CHECK (max_children > 0),
    CONSTRAINT plans_features_check CHECK (jsonb_typeof(features) = 'object')
);
COMMENT ON TABLE subscription.plans IS 'What can be subscribed to.';
COMMENT ON COLUMN subscription.plans.id IS 'Key of the row.';
COMMENT ON COLUMN subscription.plans.code IS 'Stable short name.';
COMMENT ON COLUMN subscription.plans.name IS 'Name shown.';
COMMENT ON COLUMN subscription.plans.description IS 'What it holds.';
COMMENT ON COLUMN subscription.plans.price_cents IS 'Price of one interval in the smallest unit of the currency.';
COMMENT ON COLUMN subscription.plans.currency IS 'Currency.';
COMMENT ON COLUMN subscription.plans.billing_interval IS 'How often it is billed.';
COMMENT ON COLUMN subscription.plans.max_children IS 'Most children of a family; NULL for no limit.';
COMMENT ON COLUMN subscription.plans.features IS 'What is switched on.';
COMMENT ON COLUMN subscription.plans.is_active IS 'Whether it is sold.';
COMMENT ON COLUMN subscription.plans.created_at IS 'When the row was made.';
COMMENT ON COLUMN subscription.plans.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS subscription.subscriptions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    payer_user_id uuid,
    status text NOT NULL,
    provider text NOT NULL DEFAULT 'none',
    provider_subscription_ref text,
    current_period_start timestamptz NOT NULL DEFAULT now(),
    current_period_end timestamptz,
    trial_ends_at timestamptz,
    canceled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_pkey PRIMARY KEY (id),
    CONSTRAINT subscriptions_provider_ref_key UNIQUE (provider, provider_subscription_ref),
    CONSTRAINT subscriptions_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT subscriptions_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES subscription.plans (id) ON DELETE RESTRICT,
    CONSTRAINT subscriptions_payer_user_id_fkey FOREIGN KEY (payer_user_id)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT subscriptions_status_check CHECK (status IN ('trialing', 'active', 'past_due', 'canceled', 'expired')),
    CONSTRAINT subscriptions_provider_check CHECK (provider IN ('none', 'stripe', 'apple', 'google')),
    CONSTRAINT subscriptions_period_check CHECK (current_period_end > current_period_start)
);
COMMENT ON TABLE subscription.subscriptions IS 'Subscriptions of families.';
COMMENT ON COLUMN subscription.subscriptions.id IS 'Key of the row.';
COMMENT ON COLUMN subscription.subscriptions.family_id IS 'The family.';
COMMENT ON COLUMN subscription.subscriptions.plan_id IS 'The plan.';
COMMENT ON COLUMN subscription.subscriptions.payer_user_id IS 'Who pays; NULL once that account is erased.';
COMMENT ON COLUMN subscription.subscriptions.status IS 'Stage.';
COMMENT ON COLUMN subscription.subscriptions.provider IS 'Who bills.';
COMMENT ON COLUMN subscription.subscriptions.provider_subscription_ref IS 'Token of the subscription at the provider.';
COMMENT ON COLUMN subscription.subscriptions.current_period_start IS 'Begin of the paid time.';
COMMENT ON COLUMN subscription.subscriptions.current_period_end IS 'End of the paid time; NULL where nothing is billed.';
COMMENT ON COLUMN subscription.subscriptions.trial_ends_at IS 'End of the trial.';
COMMENT ON COLUMN subscription.subscriptions.canceled_at IS 'When it was cancelled.';
COMMENT ON COLUMN subscription.subscriptions.created_at IS 'When the row was made.';
COMMENT ON COLUMN subscription.subscriptions.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS subscription.invoices (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid,
    subscription_id uuid,
    invoice_number text NOT NULL,
    provider text NOT NULL,
    provider_invoice_ref text,
    status text NOT NULL DEFAULT 'open',
    amount_cents integer NOT NULL,
    tax_cents integer NOT NULL DEFAULT 0,
    currency core.currency_code NOT NULL,
    billing_country text,
    issued_at timestamptz NOT NULL DEFAULT now(),
    paid_at timestamptz,
    retention_until date,
    legal_hold boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invoices_pkey PRIMARY KEY (id),
    CONSTRAINT invoices_invoice_number_key UNIQUE (invoice_number),
    CONSTRAINT invoices_provider_ref_key UNIQUE (provider, provider_invoice_ref),
    CONSTRAINT invoices_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE SET NULL,
    CONSTRAINT invoices_subscription_id_fkey FOREIGN KEY (subscription_id)
        REFERENCES subscription.subscriptions (id) ON DELETE SET NULL,
    CONSTRAINT invoices_provider_check CHECK (provider IN ('stripe', 'apple', 'google')),
    CONSTRAINT invoices_status_check CHECK (status IN ('open', 'paid', 'void', 'uncollectible')),
    CONSTRAINT invoices_amounts_check CHECK (amount_cents >= 0 AND tax_cents BETWEEN 0 AND amount_cents),
    CONSTRAINT invoices_billing_country_check CHECK (billing_country ~ '^[A-Z]{2}$')
);
COMMENT ON TABLE subscription.invoices IS 'Invoices, kept as long as tax law asks, also after the family is erased.';
COMMENT ON COLUMN subscription.invoices.id IS 'Key of the row.';
COMMENT ON COLUMN subscription.invoices.family_id IS 'The family billed; NULL once it is erased.';
COMMENT ON COLUMN subscription.invoices.subscription_id IS 'The subscription billed; NULL once it is erased.';
COMMENT ON COLUMN subscription.invoices.invoice_number IS 'Number on the invoice.';
COMMENT ON COLUMN subscription.invoices.provider IS 'Who billed.';
COMMENT ON COLUMN subscription.invoices.provider_invoice_ref IS 'Token of the invoice at the provider.';
COMMENT ON COLUMN subscription.invoices.status IS 'Stage.';
COMMENT ON COLUMN subscription.invoices.amount_cents IS 'Total with tax.';
COMMENT ON COLUMN subscription.invoices.tax_cents IS 'Tax within the total.';
COMMENT ON COLUMN subscription.invoices.currency IS 'Currency.';
COMMENT ON COLUMN subscription.invoices.billing_country IS 'ISO 3166 country the tax follows.';
COMMENT ON COLUMN subscription.invoices.issued_at IS 'Date of the invoice.';
COMMENT ON COLUMN subscription.invoices.paid_at IS 'When it was paid.';
COMMENT ON COLUMN subscription.invoices.retention_until IS 'First day on which it may be deleted; set by a trigger from the retention policy.';
COMMENT ON COLUMN subscription.invoices.legal_hold IS 'True while it must be kept regardless.';
COMMENT ON COLUMN subscription.invoices.created_at IS 'When the row was made.';
COMMENT ON COLUMN subscription.invoices.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS subscription.payments (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid,
    subscription_id uuid,
    invoice_id uuid,
    provider text NOT NULL,
    provider_payment_ref text NOT NULL,
    status text NOT NULL,
    amount_cents integer NOT NULL,
    currency core.currency_code NOT NULL,
    failure_code text,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    retention_until date,
    legal_hold boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_pkey PRIMARY KEY (id),
    CONSTRAINT payments_provider_ref_key UNIQUE (provider, provider_payment_ref),
    CONSTRAINT payments_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE SET NULL,
    CONSTRAINT payments_subscription_id_fkey FOREIGN KEY (subscription_id)
        REFERENCES subscription.subscriptions (id) ON DELETE SET NULL,
    CONSTRAINT payments_invoice_id_fkey FOREIGN KEY (invoice_id)
        REFERENCES subscription.invoices (id) ON DELETE SET NULL,
    CONSTRAINT payments_provider_check CHECK (provider IN ('stripe', 'apple', 'google')),
    CONSTRAINT payments_status_check CHECK (status IN ('pending', 'succeeded', 'failed', 'refunded')),
    CONSTRAINT payments_amount_cents_check CHECK (amount_cents >= 0)
);
COMMENT ON TABLE subscription.payments IS 'Payments as the provider reported them: tokens and amounts, no card data.';
COMMENT ON COLUMN subscription.payments.id IS 'Key of the row.';
COMMENT ON COLUMN subscription.payments.family_id IS 'The family that paid; NULL once it is erased.';
COMMENT ON COLUMN subscription.payments.subscription_id IS 'The subscription paid; NULL once it is erased.';
COMMENT ON COLUMN subscription.payments.invoice_id IS 'The invoice paid, if any.';
COMMENT ON COLUMN subscription.payments.provider IS 'Who collected.';
COMMENT ON COLUMN subscription.payments.provider_payment_ref IS 'Token of the payment at the provider.';
COMMENT ON COLUMN subscription.payments.status IS 'Stage.';
COMMENT ON COLUMN subscription.payments.amount_cents IS 'Amount.';
COMMENT ON COLUMN subscription.payments.currency IS 'Currency.';
COMMENT ON COLUMN subscription.payments.failure_code IS 'Code of the provider for a failure.';
COMMENT ON COLUMN subscription.payments.occurred_at IS 'When the provider says it happened.';
COMMENT ON COLUMN subscription.payments.retention_until IS 'First day on which it may be deleted; set by a trigger from the retention policy.';
COMMENT ON COLUMN subscription.payments.legal_hold IS 'True while it must be kept regardless.';
COMMENT ON COLUMN subscription.payments.created_at IS 'When the row was made.';
COMMENT ON COLUMN subscription.payments.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS subscription.webhook_events (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    provider text NOT NULL,
    provider_event_ref text NOT NULL,
    event_type text NOT NULL,
    outcome text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_events_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_events_provider_event_key UNIQUE (provider, provider_event_ref),
    CONSTRAINT webhook_events_provider_check CHECK (provider IN ('stripe', 'apple', 'google')),
    CONSTRAINT webhook_events_outcome_check CHECK (outcome IN ('applied', 'ignored', 'unmatched'))
);
COMMENT ON TABLE subscription.webhook_events IS 'Calls of payment providers already handled, so that a repeated call changes nothing.';
COMMENT ON COLUMN subscription.webhook_events.id IS 'Key of the row.';
COMMENT ON COLUMN subscription.webhook_events.provider IS 'Who called.';
COMMENT ON COLUMN subscription.webhook_events.provider_event_ref IS 'The provider''s identifier of the event.';
COMMENT ON COLUMN subscription.webhook_events.event_type IS 'What happened, in the provider''s words.';
COMMENT ON COLUMN subscription.webhook_events.outcome IS 'What was done with it.';
COMMENT ON COLUMN subscription.webhook_events.received_at IS 'When.';

-- ---------------------------------------------------------------------------
-- analytics: events, metrics, milestones, reports
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS analytics.events (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    occurred_at timestamptz NOT NULL DEFAULT now(),
    event_name text NOT NULL,
    user_id uuid,
    family_id uuid,
    child_id uuid,
    properties jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT events_pkey PRIMARY KEY (id, occurred_at),
    CONSTRAINT events_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT events_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT events_child_id_fkey FOREIGN KEY (child_id) REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT events_event_name_check CHECK (event_name ~ '^[a-z][a-z0-9_.]{0,99}$'),
    CONSTRAINT events_properties_check CHECK (jsonb_typeof(properties) = 'object')
)
PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE analytics.events IS 'Usage events. Partitioned by month of occurred_at (UTC).';
COMMENT ON COLUMN analytics.events.id IS 'Key of the row.';
COMMENT ON COLUMN analytics.events.occurred_at IS 'When; partition key.';
COMMENT ON COLUMN analytics.events.event_name IS 'What happened.';
COMMENT ON COLUMN analytics.events.user_id IS 'The acting parent; NULL for none, and after erasure.';
COMMENT ON COLUMN analytics.events.family_id IS 'The family it concerns.';
COMMENT ON COLUMN analytics.events.child_id IS 'The child it concerns.';
COMMENT ON COLUMN analytics.events.properties IS 'Details: counts, names of screens; no names, addresses or free text.';

CREATE TABLE IF NOT EXISTS analytics.daily_child_metrics (
    child_id uuid NOT NULL,
    metric_date date NOT NULL,
    age_months smallint NOT NULL,
    screen_seconds integer NOT NULL DEFAULT 0,
    items_started integer NOT NULL DEFAULT 0,
    items_completed integer NOT NULL DEFAULT 0,
    distinct_items integer NOT NULL DEFAULT 0,
    interaction_count integer NOT NULL DEFAULT 0,
    audio_sessions integer NOT NULL DEFAULT 0,
    audio_seconds integer NOT NULL DEFAULT 0,
    adult_word_count integer NOT NULL DEFAULT 0,
    child_vocalization_count integer NOT NULL DEFAULT 0,
    conversational_turns integer NOT NULL DEFAULT 0,
    media_seconds integer NOT NULL DEFAULT 0,
    mean_quality_score core.unit_interval,
    calculated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT daily_child_metrics_pkey PRIMARY KEY (child_id, metric_date),
    CONSTRAINT daily_child_metrics_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT daily_child_metrics_age_months_check CHECK (age_months >= 0)
);
COMMENT ON TABLE analytics.daily_child_metrics IS 'One row per child and day, in the family''s time zone.';
COMMENT ON COLUMN analytics.daily_child_metrics.child_id IS 'The child.';
COMMENT ON COLUMN analytics.daily_child_metrics.metric_date IS 'The day.';
COMMENT ON COLUMN analytics.daily_child_metrics.age_months IS 'Age of the child on that day in completed months; lets analysis go by age without the day of birth.';
COMMENT ON COLUMN analytics.daily_child_metrics.screen_seconds IS 'Time with content.';
COMMENT ON COLUMN analytics.daily_child_metrics.items_started IS 'Visits to items.';
COMMENT ON COLUMN analytics.daily_child_metrics.items_completed IS 'Visits to the end.';
COMMENT ON COLUMN analytics.daily_child_metrics.distinct_items IS 'Different items.';
COMMENT ON COLUMN analytics.daily_child_metrics.interaction_count IS 'Interactions.';
COMMENT ON COLUMN analytics.daily_child_metrics.audio_sessions IS 'Speech sessions begun.';
COMMENT ON COLUMN analytics.daily_child_metrics.audio_seconds IS 'Length of the ended speech sessions.';
COMMENT ON COLUMN analytics.daily_child_metrics.adult_word_count IS 'Words spoken by adults.';
COMMENT ON COLUMN analytics.daily_child_metrics.child_vocalization_count IS 'Utterances of the child.';
COMMENT ON COLUMN analytics.daily_child_metrics.conversational_turns IS 'Exchanges.';
COMMENT ON COLUMN analytics.daily_child_metrics.media_seconds IS 'Time with sound from a screen or radio.';
COMMENT ON COLUMN analytics.daily_child_metrics.mean_quality_score IS 'Mean quality of the ended speech sessions.';
COMMENT ON COLUMN analytics.daily_child_metrics.calculated_at IS 'When the row was computed.';

CREATE TABLE IF NOT EXISTS analytics.insights (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    child_id uuid NOT NULL,
    insight_type text NOT NULL,
    title text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    confidence core.unit_interval,
    period_start date NOT NULL,
    period_end date NOT NULL,
    dismissed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT insights_pkey PRIMARY KEY (id),
    CONSTRAINT insights_child_id_fkey FOREIGN KEY (child_id) REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT insights_insight_type_check CHECK (
        insight_type IN (
            'speech', 'engagement', 'screen_time', 'milestone', 'balance'
        )
    ),
    CONSTRAINT insights_period_check CHECK (period_end >= period_start)
);
COMMENT ON TABLE analytics.insights IS 'Remarks computed for parents about a child.';
COMMENT ON COLUMN analytics.insights.id IS 'Key of the row.';
COMMENT ON COLUMN analytics.insights.child_id IS 'The child.';
COMMENT ON COLUMN analytics.insights.insight_type IS 'Area.';
COMMENT ON COLUMN analytics.insights.title IS 'Headline from a catalogue of texts.';
COMMENT ON COLUMN analytics.insights.details IS 'Numbers behind it.';
COMMENT ON COLUMN analytics.insights.confidence IS 'How sure.';
COMMENT ON COLUMN analytics.insights.period_start IS 'First day looked at.';
COMMENT ON COLUMN analytics.insights.period_end IS 'Last day looked at.';
COMMENT ON COLUMN analytics.insights.dismissed_at IS 'When a guardian put it away.';
COMMENT ON COLUMN analytics.insights.created_at IS 'When the row was made.';

CREATE TABLE IF NOT EXISTS analytics.milestones (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    code text NOT NULL,
    domain text NOT NULL,
    title text NOT NULL,
    description text,
    typical_min_months smallint NOT NULL,
    typical_max_months smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT milestones_pkey PRIMARY KEY (id),
    CONSTRAINT milestones_code_key UNIQUE (code),
    CONSTRAINT milestones_domain_check CHECK (domain IN ('language', 'social', 'cognitive', 'motor')),
    CONSTRAINT milestones_age_range_check CHECK (typical_min_months BETWEEN 0 AND typical_max_months)
);
COMMENT ON TABLE analytics.milestones IS 'Catalogue of developmental milestones.';
COMMENT ON COLUMN analytics.milestones.id IS 'Key of the row.';
COMMENT ON COLUMN analytics.milestones.code IS 'Stable short name.';
COMMENT ON COLUMN analytics.milestones.domain IS 'Field of development.';
COMMENT ON COLUMN analytics.milestones.title IS 'Name shown.';
COMMENT ON COLUMN analytics.milestones.description IS 'What to look for.';
COMMENT ON COLUMN analytics.milestones.typical_min_months IS 'Age from which it is typical.';
COMMENT ON COLUMN analytics.milestones.typical_max_months IS 'Age by which it is typical.';
COMMENT ON COLUMN analytics.milestones.created_at IS 'When the row was made.';
COMMENT ON COLUMN analytics.milestones.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS analytics.child_milestones (
    child_id uuid NOT NULL,
    milestone_id uuid NOT NULL,
    achieved_on date NOT NULL,
    recorded_by uuid,
    note_encrypted bytea,
    note_key_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT child_milestones_pkey PRIMARY KEY (child_id, milestone_id),
    CONSTRAINT child_milestones_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT child_milestones_milestone_id_fkey FOREIGN KEY (milestone_id)
        REFERENCES analytics.milestones (id) ON DELETE RESTRICT,
    CONSTRAINT child_milestones_recorded_by_fkey FOREIGN KEY (recorded_by)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT child_milestones_note_key_check CHECK ((note_encrypted IS NULL) = (note_key_id IS NULL))
);
COMMENT ON TABLE analytics.child_milestones IS 'Milestones that a guardian saw a child reach.';
COMMENT ON COLUMN analytics.child_milestones.child_id IS 'The child.';
COMMENT ON COLUMN analytics.child_milestones.milestone_id IS 'The milestone.';
COMMENT ON COLUMN analytics.child_milestones.achieved_on IS 'The day it was seen.';
COMMENT ON COLUMN analytics.child_milestones.recorded_by IS 'Who recorded it; NULL once that account is erased.';
COMMENT ON COLUMN analytics.child_milestones.note_encrypted IS 'Remark of the guardian, encrypted with pgcrypto.';
COMMENT ON COLUMN analytics.child_milestones.note_key_id IS 'Which key encrypted it.';
COMMENT ON COLUMN analytics.child_milestones.created_at IS 'When the row was made.';
COMMENT ON COLUMN analytics.child_milestones.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS analytics.reports (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid NOT NULL,
    child_id uuid,
    report_type text NOT NULL,
    period_start date NOT NULL,
    period_end date NOT NULL,
    content jsonb NOT NULL,
    generated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CONSTRAINT reports_pkey PRIMARY KEY (id),
    CONSTRAINT reports_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT reports_child_id_fkey FOREIGN KEY (child_id) REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT reports_report_type_check CHECK (report_type IN ('weekly', 'monthly', 'milestones', 'custom')),
    CONSTRAINT reports_period_check CHECK (period_end >= period_start)
);
COMMENT ON TABLE analytics.reports IS 'Reports made for a family.';
COMMENT ON COLUMN analytics.reports.id IS 'Key of the row.';
COMMENT ON COLUMN analytics.reports.family_id IS 'The family.';
COMMENT ON COLUMN analytics.reports.child_id IS 'The child it is about; NULL for the whole family.';
COMMENT ON COLUMN analytics.reports.report_type IS 'Kind.';
COMMENT ON COLUMN analytics.reports.period_start IS 'First day.';
COMMENT ON COLUMN analytics.reports.period_end IS 'Last day.';
COMMENT ON COLUMN analytics.reports.content IS 'The figures.';
COMMENT ON COLUMN analytics.reports.generated_at IS 'When.';
COMMENT ON COLUMN analytics.reports.expires_at IS 'When it may be deleted.';

CREATE TABLE IF NOT EXISTS analytics.dashboard_refreshes (
    view_name text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    row_count bigint NOT NULL,
    CONSTRAINT dashboard_refreshes_pkey PRIMARY KEY (view_name)
);
COMMENT ON TABLE analytics.dashboard_refreshes IS 'When each materialized view was last refreshed.';
COMMENT ON COLUMN analytics.dashboard_refreshes.view_name IS 'The materialized view, without schema.';
COMMENT ON COLUMN analytics.dashboard_refreshes.refreshed_at IS 'When.';
COMMENT ON COLUMN analytics.dashboard_refreshes.duration_ms IS 'How long it took.';
COMMENT ON COLUMN analytics.dashboard_refreshes.row_count IS 'Rows afterwards.';

-- ---------------------------------------------------------------------------
-- safety: ratings, reports, controls, incidents
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS safety.content_ratings (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    item_id uuid NOT NULL,
    scheme text NOT NULL,
    rating text NOT NULL,
    min_age_months smallint NOT NULL DEFAULT 0,
    descriptors text[] NOT NULL DEFAULT '{}',
    rated_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT content_ratings_pkey PRIMARY KEY (id),
    CONSTRAINT content_ratings_scheme_key UNIQUE (item_id, scheme),
    CONSTRAINT content_ratings_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE,
    CONSTRAINT content_ratings_scheme_check CHECK (
        scheme IN (
            'wondernest', 'mpa', 'pegi', 'esrb', 'fsk', 'common_sense'
        )
    ),
    CONSTRAINT content_ratings_min_age_months_check CHECK (min_age_months BETWEEN 0 AND 227)
);
COMMENT ON TABLE safety.content_ratings IS 'Age ratings of an item under a scheme.';
COMMENT ON COLUMN safety.content_ratings.id IS 'Key of the row.';
COMMENT ON COLUMN safety.content_ratings.item_id IS 'The item.';
COMMENT ON COLUMN safety.content_ratings.scheme IS 'Rating scheme.';
COMMENT ON COLUMN safety.content_ratings.rating IS 'Rating in the words of the scheme.';
COMMENT ON COLUMN safety.content_ratings.min_age_months IS 'Age from which the rating allows it.';
COMMENT ON COLUMN safety.content_ratings.descriptors IS 'Reasons for the rating.';
COMMENT ON COLUMN safety.content_ratings.rated_at IS 'When.';
COMMENT ON COLUMN safety.content_ratings.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS safety.content_reports (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    item_id uuid NOT NULL,
    reporter_user_id uuid,
    reason text NOT NULL,
    details_encrypted bytea,
    details_key_id text,
    status text NOT NULL DEFAULT 'open',
    resolution text,
    resolved_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT content_reports_pkey PRIMARY KEY (id),
    CONSTRAINT content_reports_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE,
    CONSTRAINT content_reports_reporter_user_id_fkey FOREIGN KEY (reporter_user_id)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT content_reports_reason_check CHECK (
        reason IN (
            'violence', 'language', 'frightening', 'advertising', 'wrong_age', 'inaccurate', 'other'
        )
    ),
    CONSTRAINT content_reports_status_check CHECK (status IN ('open', 'in_review', 'upheld', 'dismissed')),
    CONSTRAINT content_reports_details_key_check CHECK ((details_encrypted IS NULL) = (details_key_id IS NULL)),
    CONSTRAINT content_reports_resolved_at_check CHECK (
        (status IN (
            'upheld', 'dismissed')) = (resolved_at IS NOT NULL
        )
    )
);
COMMENT ON TABLE safety.content_reports IS 'Complaints of parents about content.';
COMMENT ON COLUMN safety.content_reports.id IS 'Key of the row.';
COMMENT ON COLUMN safety.content_reports.item_id IS 'The item.';
COMMENT ON COLUMN safety.content_reports.reporter_user_id IS 'Who reported; NULL once that account is erased.';
COMMENT ON COLUMN safety.content_reports.reason IS 'Kind of complaint.';
COMMENT ON COLUMN safety.content_reports.details_encrypted IS 'What the parent wrote, encrypted with pgcrypto.';
COMMENT ON COLUMN safety.content_reports.details_key_id IS 'Which key encrypted it.';
COMMENT ON COLUMN safety.content_reports.status IS 'Stage.';
COMMENT ON COLUMN safety.content_reports.resolution IS 'What was done about the item.';
COMMENT ON COLUMN safety.content_reports.resolved_at IS 'When it was closed.';
COMMENT ON COLUMN safety.content_reports.created_at IS 'When the row was made.';
COMMENT ON COLUMN safety.content_reports.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS safety.parental_controls (
    child_id uuid NOT NULL,
    daily_screen_minutes smallint,
    bedtime_start time,
    bedtime_end time,
    max_safety_level smallint NOT NULL DEFAULT 5,
    blocked_content_types text[] NOT NULL DEFAULT '{}',
    blocked_category_ids uuid[] NOT NULL DEFAULT '{}',
    audio_monitoring_enabled boolean NOT NULL DEFAULT true,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT parental_controls_pkey PRIMARY KEY (child_id),
    CONSTRAINT parental_controls_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT parental_controls_updated_by_fkey FOREIGN KEY (updated_by)
        REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT parental_controls_daily_screen_minutes_check CHECK (daily_screen_minutes BETWEEN 0 AND 1440),
    CONSTRAINT parental_controls_max_safety_level_check CHECK (max_safety_level BETWEEN 1 AND 5),
    CONSTRAINT parental_controls_bedtime_check CHECK ((bedtime_start IS NULL) = (bedtime_end IS NULL))
);
COMMENT ON TABLE safety.parental_controls IS 'Limits that guardians set for a child.';
COMMENT ON COLUMN safety.parental_controls.child_id IS 'The child.';
COMMENT ON COLUMN safety.parental_controls.daily_screen_minutes IS 'Most minutes a day; NULL for no limit.';
COMMENT ON COLUMN safety.parental_controls.bedtime_start IS 'Begin of the time without content, local.';
COMMENT ON COLUMN safety.parental_controls.bedtime_end IS 'End of the time without content, local.';
COMMENT ON COLUMN safety.parental_controls.max_safety_level IS 'Highest safety level shown; the child''s age limits it further.';
COMMENT ON COLUMN safety.parental_controls.blocked_content_types IS 'Kinds of content not shown.';
COMMENT ON COLUMN safety.parental_controls.blocked_category_ids IS 'Topics not shown.';
COMMENT ON COLUMN safety.parental_controls.audio_monitoring_enabled IS 'Whether speech sessions may be started at all.';
COMMENT ON COLUMN safety.parental_controls.updated_by IS 'Who changed it last; NULL once that account is erased.';
COMMENT ON COLUMN safety.parental_controls.created_at IS 'When the row was made.';
COMMENT ON COLUMN safety.parental_controls.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS safety.incidents (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    family_id uuid,
    child_id uuid,
    item_id uuid,
    category text NOT NULL,
    severity text NOT NULL,
    description_encrypted bytea,
    description_key_id text,
    reported_by uuid,
    status text NOT NULL DEFAULT 'open',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    legal_hold boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT incidents_pkey PRIMARY KEY (id),
    CONSTRAINT incidents_family_id_fkey FOREIGN KEY (family_id) REFERENCES family.families (id) ON DELETE CASCADE,
    CONSTRAINT incidents_child_id_fkey FOREIGN KEY (child_id) REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT incidents_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE SET NULL,
    CONSTRAINT incidents_reported_by_fkey FOREIGN KEY (reported_by) REFERENCES core.users (id) ON DELETE SET NULL,
    CONSTRAINT incidents_category_check CHECK (category IN ('content', 'privacy', 'account', 'device', 'other')),
    CONSTRAINT incidents_severity_check CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    CONSTRAINT incidents_status_check CHECK (status IN ('open', 'investigating', 'resolved')),
    CONSTRAINT incidents_description_key_check CHECK ((description_encrypted IS NULL) = (description_key_id IS NULL)),
    CONSTRAINT incidents_resolved_at_check CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
COMMENT ON TABLE safety.incidents IS 'Events that touch a child''s safety or privacy, and what was done.';
COMMENT ON COLUMN safety.incidents.id IS 'Key of the row.';
COMMENT ON COLUMN safety.incidents.family_id IS 'The family concerned, if one is.';
COMMENT ON COLUMN safety.incidents.child_id IS 'The child concerned, if one is.';
COMMENT ON COLUMN safety.incidents.item_id IS 'The content concerned, if any.';
COMMENT ON COLUMN safety.incidents.category IS 'Kind.';
COMMENT ON COLUMN safety.incidents.severity IS 'How bad.';
COMMENT ON COLUMN safety.incidents.description_encrypted IS 'What happened, encrypted with pgcrypto.';
COMMENT ON COLUMN safety.incidents.description_key_id IS 'Which key encrypted it.';
COMMENT ON COLUMN safety.incidents.reported_by IS 'Who reported; NULL for the system, and after erasure.';
COMMENT ON COLUMN safety.incidents.status IS 'Stage.';
COMMENT ON COLUMN safety.incidents.occurred_at IS 'When it happened.';
COMMENT ON COLUMN safety.incidents.resolved_at IS 'When it was closed.';
COMMENT ON COLUMN safety.incidents.legal_hold IS 'True while it must be kept.';
COMMENT ON COLUMN safety.incidents.created_at IS 'When the row was made.';
COMMENT ON COLUMN safety.incidents.updated_at IS 'When the row was last changed; set by a trigger.';

-- ---------------------------------------------------------------------------
-- ml: models, features, recommendations
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS ml.models (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    purpose text NOT NULL,
    description text,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT models_pkey PRIMARY KEY (id),
    CONSTRAINT models_name_key UNIQUE (name),
    CONSTRAINT models_purpose_check CHECK (purpose IN ('recommendation', 'speech_metrics', 'insight', 'safety'))
);
COMMENT ON TABLE ml.models IS 'Models the service uses.';
COMMENT ON COLUMN ml.models.id IS 'Key of the row.';
COMMENT ON COLUMN ml.models.name IS 'Stable name.';
COMMENT ON COLUMN ml.models.purpose IS 'What it is for.';
COMMENT ON COLUMN ml.models.description IS 'How it works, in plain words.';
COMMENT ON COLUMN ml.models.is_active IS 'Whether it is in use.';
COMMENT ON COLUMN ml.models.created_at IS 'When the row was made.';
COMMENT ON COLUMN ml.models.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS ml.model_versions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    model_id uuid NOT NULL,
    version text NOT NULL,
    status text NOT NULL DEFAULT 'candidate',
    artifact_uri text,
    metrics jsonb NOT NULL DEFAULT '{}',
    trained_at timestamptz,
    deployed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_versions_pkey PRIMARY KEY (id),
    CONSTRAINT model_versions_version_key UNIQUE (model_id, version),
    CONSTRAINT model_versions_model_id_fkey FOREIGN KEY (model_id) REFERENCES ml.models (id) ON DELETE CASCADE,
    CONSTRAINT model_versions_status_check CHECK (status IN ('candidate', 'live', 'retired'))
);
COMMENT ON TABLE ml.model_versions IS 'Versions of a model.';
COMMENT ON COLUMN ml.model_versions.id IS 'Key of the row.';
COMMENT ON COLUMN ml.model_versions.model_id IS 'The model.';
COMMENT ON COLUMN ml.model_versions.version IS 'Version.';
COMMENT ON COLUMN ml.model_versions.status IS 'Stage.';
COMMENT ON COLUMN ml.model_versions.artifact_uri IS 'Where the artifact is kept.';
COMMENT ON COLUMN ml.model_versions.metrics IS 'Results of evaluation.';
COMMENT ON COLUMN ml.model_versions.trained_at IS 'When it was trained.';
COMMENT ON COLUMN ml.model_versions.deployed_at IS 'When it went into use.';
COMMENT ON COLUMN ml.model_versions.created_at IS 'When the row was made.';
COMMENT ON COLUMN ml.model_versions.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS ml.child_features (
    child_id uuid NOT NULL,
    feature_set text NOT NULL,
    features jsonb NOT NULL,
    model_version_id uuid,
    computed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT child_features_pkey PRIMARY KEY (child_id, feature_set),
    CONSTRAINT child_features_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT child_features_model_version_id_fkey FOREIGN KEY (model_version_id)
        REFERENCES ml.model_versions (id) ON DELETE SET NULL,
    CONSTRAINT child_features_feature_set_check CHECK (feature_set ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT child_features_features_check CHECK (jsonb_typeof(features) = 'object')
);
COMMENT ON TABLE ml.child_features IS 'Numbers computed about a child as input of models. No voiceprint, no embedding of a voice or face.';
COMMENT ON COLUMN ml.child_features.child_id IS 'The child.';
COMMENT ON COLUMN ml.child_features.feature_set IS 'Name of the set.';
COMMENT ON COLUMN ml.child_features.features IS 'Names and numbers.';
COMMENT ON COLUMN ml.child_features.model_version_id IS 'What computed it.';
COMMENT ON COLUMN ml.child_features.computed_at IS 'When.';

CREATE TABLE IF NOT EXISTS ml.recommendations (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    child_id uuid NOT NULL,
    item_id uuid NOT NULL,
    model_version_id uuid,
    score core.unit_interval NOT NULL,
    reason text,
    shown_at timestamptz,
    opened_at timestamptz,
    dismissed_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT recommendations_pkey PRIMARY KEY (id),
    CONSTRAINT recommendations_child_id_fkey FOREIGN KEY (child_id)
        REFERENCES family.child_profiles (id) ON DELETE CASCADE,
    CONSTRAINT recommendations_item_id_fkey FOREIGN KEY (item_id) REFERENCES content.items (id) ON DELETE CASCADE,
    CONSTRAINT recommendations_model_version_id_fkey FOREIGN KEY (model_version_id)
        REFERENCES ml.model_versions (id) ON DELETE SET NULL
);
COMMENT ON TABLE ml.recommendations IS 'Content proposed to a child.';
COMMENT ON COLUMN ml.recommendations.id IS 'Key of the row.';
COMMENT ON COLUMN ml.recommendations.child_id IS 'The child.';
COMMENT ON COLUMN ml.recommendations.item_id IS 'The item.';
COMMENT ON COLUMN ml.recommendations.model_version_id IS 'What proposed it.';
COMMENT ON COLUMN ml.recommendations.score IS 'How well it fits.';
COMMENT ON COLUMN ml.recommendations.reason IS 'Why, from a catalogue of texts.';
COMMENT ON COLUMN ml.recommendations.shown_at IS 'When it was shown.';
COMMENT ON COLUMN ml.recommendations.opened_at IS 'When it was opened.';
COMMENT ON COLUMN ml.recommendations.dismissed_at IS 'When it was put away.';
COMMENT ON COLUMN ml.recommendations.expires_at IS 'When it lapses.';
COMMENT ON COLUMN ml.recommendations.created_at IS 'When the row was made.';

-- ---------------------------------------------------------------------------
-- audit: trail, retention, ledger, data-subject requests
-- ---------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS audit.activity_log (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    "timestamp" timestamptz NOT NULL DEFAULT now(),
    action text NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    row_id text,
    user_id uuid,
    subject_user_id uuid,
    child_id uuid,
    family_id uuid,
    session_role text NOT NULL DEFAULT session_user,
    user_agent text,
    client_addr inet,
    changed jsonb,
    erasure_attempt boolean NOT NULL DEFAULT false,
    retention_until timestamptz,
    legal_hold boolean NOT NULL DEFAULT false,
    identity_erased_at timestamptz,
    CONSTRAINT activity_log_pkey PRIMARY KEY (id, "timestamp"),
    CONSTRAINT activity_log_action_check CHECK (action IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
)
PARTITION BY RANGE ("timestamp");
COMMENT ON TABLE audit.activity_log IS 'Trail of data changes, written by triggers. Partitioned by month of timestamp (UTC). No foreign keys: the trail outlives what it describes.';
COMMENT ON COLUMN audit.activity_log.id IS 'Key of the row.';
COMMENT ON COLUMN audit.activity_log."timestamp" IS 'When; partition key.';
COMMENT ON COLUMN audit.activity_log.action IS 'INSERT, UPDATE, DELETE or TRUNCATE.';
COMMENT ON COLUMN audit.activity_log.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN audit.activity_log.table_name IS 'The table; the parent where it is partitioned.';
COMMENT ON COLUMN audit.activity_log.row_id IS 'Key of the row.';
COMMENT ON COLUMN audit.activity_log.user_id IS 'The acting parent, from app.current_user_id.';
COMMENT ON COLUMN audit.activity_log.subject_user_id IS 'The parent whose row changed, where it is one''s.';
COMMENT ON COLUMN audit.activity_log.child_id IS 'The child whose row changed.';
COMMENT ON COLUMN audit.activity_log.family_id IS 'The family whose row changed.';
COMMENT ON COLUMN audit.activity_log.session_role IS 'The database login.';
COMMENT ON COLUMN audit.activity_log.user_agent IS 'The program, from application.user_agent.';
COMMENT ON COLUMN audit.activity_log.client_addr IS 'Address of the database client.';
COMMENT ON COLUMN audit.activity_log.changed IS 'New values of an INSERT, old values of a DELETE, for an UPDATE old and new of the changed columns only. Never credentials or encrypted text.';
COMMENT ON COLUMN audit.activity_log.erasure_attempt IS 'True when the session claimed an erasure request that did not entitle it.';
COMMENT ON COLUMN audit.activity_log.retention_until IS 'When the row may be deleted; NULL means never decided.';
COMMENT ON COLUMN audit.activity_log.legal_hold IS 'True while the row must be kept.';
COMMENT ON COLUMN audit.activity_log.identity_erased_at IS 'When actor, subject and details were pseudonymised.';

CREATE TABLE IF NOT EXISTS audit.data_retention_policies (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    policy_code text NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    time_column text,
    retention_period interval,
    action text NOT NULL DEFAULT 'delete',
    purpose text NOT NULL,
    business_need text NOT NULL,
    legal_basis text NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT data_retention_policies_pkey PRIMARY KEY (id),
    CONSTRAINT data_retention_policies_policy_code_key UNIQUE (policy_code),
    CONSTRAINT data_retention_policies_action_check CHECK (
        action IN (
            'delete', 'archive', 'pseudonymise', 'detach_partition'
        )
    ),
    CONSTRAINT data_retention_policies_retention_period_check CHECK (retention_period > '0'::interval),
    CONSTRAINT data_retention_policies_policy_code_check CHECK (policy_code ~ '^[a-z][a-z0-9_.]{0,99}$')
);
COMMENT ON TABLE audit.data_retention_policies IS 'How long each kind of data is kept and why; the only place where durations are written.';
COMMENT ON COLUMN audit.data_retention_policies.id IS 'Key of the row.';
COMMENT ON COLUMN audit.data_retention_policies.policy_code IS 'Stable short name; the manifest refers to it.';
COMMENT ON COLUMN audit.data_retention_policies.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN audit.data_retention_policies.table_name IS 'The table.';
COMMENT ON COLUMN audit.data_retention_policies.time_column IS 'Column from which the period runs; NULL when something else decides.';
COMMENT ON COLUMN audit.data_retention_policies.retention_period IS 'How long; NULL as long as the account or profile exists.';
COMMENT ON COLUMN audit.data_retention_policies.action IS 'What happens then.';
COMMENT ON COLUMN audit.data_retention_policies.purpose IS 'What the data is collected for.';
COMMENT ON COLUMN audit.data_retention_policies.business_need IS 'Why it is kept that long.';
COMMENT ON COLUMN audit.data_retention_policies.legal_basis IS 'Ground in law.';
COMMENT ON COLUMN audit.data_retention_policies.is_active IS 'Whether it is applied.';
COMMENT ON COLUMN audit.data_retention_policies.created_at IS 'When the row was made.';
COMMENT ON COLUMN audit.data_retention_policies.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS audit.operator_ledger (
    seq bigint NOT NULL,
    ts timestamptz NOT NULL,
    op_id uuid NOT NULL,
    phase text NOT NULL,
    envelope text NOT NULL,
    payload text NOT NULL,
    prev bytea NOT NULL,
    h bytea NOT NULL,
    CONSTRAINT operator_ledger_pkey PRIMARY KEY (seq),
    CONSTRAINT operator_ledger_h_key UNIQUE (h),
    CONSTRAINT operator_ledger_phase_check CHECK (
        phase IN (
            'intent', 'done', 'outcome', 'read', 'declined', 'dry_run', 'refused', 'checkpoint'
        )
    ),
    CONSTRAINT operator_ledger_hashes_check CHECK (octet_length(prev) = 32 AND octet_length(h) = 32),
    CONSTRAINT operator_ledger_seq_check CHECK (seq > 0)
);
COMMENT ON TABLE audit.operator_ledger IS 'What operators did: append-only, gapless, each row chained to the one before by its hash.';
COMMENT ON COLUMN audit.operator_ledger.seq IS 'Number of the entry, without gaps from 1.';
COMMENT ON COLUMN audit.operator_ledger.ts IS 'Clock of the server.';
COMMENT ON COLUMN audit.operator_ledger.op_id IS 'The operation; its rows share it.';
COMMENT ON COLUMN audit.operator_ledger.phase IS 'Which moment of the operation.';
COMMENT ON COLUMN audit.operator_ledger.envelope IS 'JSON text made by the server: time, login, address, process, transaction.';
COMMENT ON COLUMN audit.operator_ledger.payload IS 'JSON text made by the client, kept as it came.';
COMMENT ON COLUMN audit.operator_ledger.prev IS 'Hash of the entry before; 32 zero bytes for the first.';
COMMENT ON COLUMN audit.operator_ledger.h IS 'Hash of this entry; see audit.ledger_append.';

CREATE TABLE IF NOT EXISTS audit.ledger_checkpoints (
    seq bigint NOT NULL,
    sink text NOT NULL,
    h bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    note text,
    CONSTRAINT ledger_checkpoints_pkey PRIMARY KEY (seq, sink),
    CONSTRAINT ledger_checkpoints_seq_fkey FOREIGN KEY (seq) REFERENCES audit.operator_ledger (seq) ON DELETE RESTRICT,
    CONSTRAINT ledger_checkpoints_h_check CHECK (octet_length(h) = 32)
);
COMMENT ON TABLE audit.ledger_checkpoints IS 'Heads of the ledger that were written to a place outside the database. A mirror: the outside copy is the authority.';
COMMENT ON COLUMN audit.ledger_checkpoints.seq IS 'Entry that was the head.';
COMMENT ON COLUMN audit.ledger_checkpoints.sink IS 'Where it was written.';
COMMENT ON COLUMN audit.ledger_checkpoints.h IS 'Hash of the entry.';
COMMENT ON COLUMN audit.ledger_checkpoints.written_at IS 'When.';
COMMENT ON COLUMN audit.ledger_checkpoints.note IS 'Remark.';

CREATE TABLE IF NOT EXISTS audit.backups (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    name text NOT NULL,
    place text NOT NULL,
    digest text NOT NULL,
    covers text,
    system_identifier text NOT NULL,
    snapshot_at timestamptz NOT NULL,
    snapshot_lsn pg_lsn NOT NULL,
    bytes bigint NOT NULL,
    is_encrypted boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    registered_by text NOT NULL DEFAULT session_user,
    removed_at timestamptz,
    CONSTRAINT backups_pkey PRIMARY KEY (id),
    CONSTRAINT backups_copy_key UNIQUE (digest, place),
    CONSTRAINT backups_kind_check CHECK (kind IN ('dump', 'base_backup', 'wal', 'archive')),
    CONSTRAINT backups_digest_check CHECK (digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT backups_bytes_check CHECK (bytes >= 0),
    CONSTRAINT backups_expires_at_check CHECK (expires_at > snapshot_at)
);
COMMENT ON TABLE audit.backups IS 'Register of the copies of this database, a row a copy: which of them still hold somebody who was erased, and until when.';
COMMENT ON COLUMN audit.backups.id IS 'Key of the row.';
COMMENT ON COLUMN audit.backups.kind IS 'A dump, a base_backup, archived wal, or the archive of a part that was taken out of the database.';
COMMENT ON COLUMN audit.backups.name IS 'What operators call it.';
COMMENT ON COLUMN audit.backups.place IS 'Machine and path of this copy.';
COMMENT ON COLUMN audit.backups.digest IS 'SHA-256 of the file that describes it: a sidecar or a manifest.';
COMMENT ON COLUMN audit.backups.covers IS 'The table it holds, NULL for the whole database.';
COMMENT ON COLUMN audit.backups.system_identifier IS 'The cluster it was taken from; another one after a restore or an upgrade.';
COMMENT ON COLUMN audit.backups.snapshot_at IS 'Moment that its rows are of: whoever was erased later is in it.';
COMMENT ON COLUMN audit.backups.snapshot_lsn IS 'Place in the log of that cluster, never after the snapshot.';
COMMENT ON COLUMN audit.backups.bytes IS 'Its size.';
COMMENT ON COLUMN audit.backups.is_encrypted IS 'Whether a secret key is needed to read it.';
COMMENT ON COLUMN audit.backups.expires_at IS 'When it is removed at the latest.';
COMMENT ON COLUMN audit.backups.registered_at IS 'When the row was made.';
COMMENT ON COLUMN audit.backups.registered_by IS 'Login that made it.';
COMMENT ON COLUMN audit.backups.removed_at IS 'When this copy was removed; NULL while it is there.';

CREATE TABLE IF NOT EXISTS audit.data_subject_requests (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    request_kind text NOT NULL,
    subject_kind text NOT NULL,
    subject_user_id uuid,
    subject_child_id uuid,
    subject_family_id uuid,
    subject_pseudonym text,
    requester_relation text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    extended_until timestamptz,
    extension_reason text,
    clock_paused_at timestamptz,
    paused_total interval NOT NULL DEFAULT '0',
    status text NOT NULL DEFAULT 'received',
    verified_at timestamptz,
    verification_method text,
    verification_ref text,
    verified_by text,
    disposition text,
    planned_at timestamptz,
    planned_by text,
    plan jsonb,
    plan_digest text,
    plan_expires_at timestamptz,
    executing_since timestamptz,
    executing_by text,
    executed_at timestamptz,
    commit_lsn pg_lsn,
    certificate text,
    certificate_digest text,
    closed_at timestamptz,
    refusal_ground text,
    retained_until date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT data_subject_requests_pkey PRIMARY KEY (id),
    CONSTRAINT data_subject_requests_request_kind_check CHECK (
        request_kind IN (
            'access', 'portability', 'coppa_review', 'rectification', 'restriction', 'stop_collection',
            'objection', 'erasure'
        )
    ),
    CONSTRAINT data_subject_requests_subject_kind_check CHECK (subject_kind IN ('user', 'child', 'family')),
    CONSTRAINT data_subject_requests_requester_relation_check CHECK (
        requester_relation IN (
            'self', 'parent', 'guardian', 'representative', 'authority', 'operator'
        )
    ),
    CONSTRAINT data_subject_requests_status_check CHECK (
        status IN (
            'received', 'verified', 'planned', 'approved', 'executing', 'scanned',
            'physically_cleaned', 'certified', 'certified_with_retention', 'deferred', 'failed',
            'refused', 'withdrawn'
        )
    ),
    CONSTRAINT data_subject_requests_disposition_check CHECK (
        disposition IN (
            'leave_family', 'erase_children', 'erase_family', 'erase_child'
        )
    ),
    CONSTRAINT data_subject_requests_due_at_check CHECK (due_at > received_at),
    CONSTRAINT data_subject_requests_extension_check CHECK ((extended_until IS NULL) = (extension_reason IS NULL)),
    CONSTRAINT data_subject_requests_extended_until_check CHECK (
        extended_until > due_at
        AND extended_until <= received_at + INTERVAL '3 months' + paused_total
    ),
    CONSTRAINT data_subject_requests_plan_digest_check CHECK (plan_digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT data_subject_requests_certificate_digest_check CHECK (certificate_digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT data_subject_requests_execution_check CHECK ((executing_since IS NULL) = (executing_by IS NULL)),
    CONSTRAINT data_subject_requests_refusal_check CHECK (status <> 'refused' OR refusal_ground IS NOT NULL)
);
COMMENT ON TABLE audit.data_subject_requests IS 'Register of requests of parents about data. Holds who, what, when and hashes; subject keys are cleared at the end and a pseudonym stays.';
COMMENT ON COLUMN audit.data_subject_requests.id IS 'Key of the row.';
COMMENT ON COLUMN audit.data_subject_requests.request_kind IS 'What is asked for.';
COMMENT ON COLUMN audit.data_subject_requests.subject_kind IS 'Whom it is about.';
COMMENT ON COLUMN audit.data_subject_requests.subject_user_id IS 'The parent concerned; cleared when the request is closed by erasure.';
COMMENT ON COLUMN audit.data_subject_requests.subject_child_id IS 'The child concerned; cleared likewise.';
COMMENT ON COLUMN audit.data_subject_requests.subject_family_id IS 'The family concerned; cleared likewise.';
COMMENT ON COLUMN audit.data_subject_requests.subject_pseudonym IS 'Keyed hash of the subject key, for the certificate.';
COMMENT ON COLUMN audit.data_subject_requests.requester_relation IS 'Who asks.';
COMMENT ON COLUMN audit.data_subject_requests.received_at IS 'When it came; the statutory month runs from here.';
COMMENT ON COLUMN audit.data_subject_requests.due_at IS 'Last day to answer; set by a trigger to one calendar month after receipt.';
COMMENT ON COLUMN audit.data_subject_requests.extended_until IS 'Longer term, at most two further months.';
COMMENT ON COLUMN audit.data_subject_requests.extension_reason IS 'Why it was extended.';
COMMENT ON COLUMN audit.data_subject_requests.clock_paused_at IS 'Since when proof of identity is outstanding.';
COMMENT ON COLUMN audit.data_subject_requests.paused_total IS 'Time paused so far.';
COMMENT ON COLUMN audit.data_subject_requests.status IS 'Stage.';
COMMENT ON COLUMN audit.data_subject_requests.verified_at IS 'When the requester was verified.';
COMMENT ON COLUMN audit.data_subject_requests.verification_method IS 'How.';
COMMENT ON COLUMN audit.data_subject_requests.verification_ref IS 'Where the proof is kept; never a copy of it.';
COMMENT ON COLUMN audit.data_subject_requests.verified_by IS 'Login that verified.';
COMMENT ON COLUMN audit.data_subject_requests.disposition IS 'What happens to shared data of the family; no default.';
COMMENT ON COLUMN audit.data_subject_requests.planned_at IS 'When the plan was made.';
COMMENT ON COLUMN audit.data_subject_requests.planned_by IS 'Login that planned.';
COMMENT ON COLUMN audit.data_subject_requests.plan IS 'Counts per table and decisions; no content.';
COMMENT ON COLUMN audit.data_subject_requests.plan_digest IS 'SHA-256 of the plan, in hexadecimal; what an approver signs.';
COMMENT ON COLUMN audit.data_subject_requests.plan_expires_at IS 'After this the plan must be made again.';
COMMENT ON COLUMN audit.data_subject_requests.executing_since IS 'When execution began; not NULL only while status is executing or later.';
COMMENT ON COLUMN audit.data_subject_requests.executing_by IS 'Login that executes; the only one for which the audit trigger stands back.';
COMMENT ON COLUMN audit.data_subject_requests.executed_at IS 'When the last statement was committed.';
COMMENT ON COLUMN audit.data_subject_requests.commit_lsn IS 'Place in the log after that commit.';
COMMENT ON COLUMN audit.data_subject_requests.certificate IS 'Certificate as it was signed.';
COMMENT ON COLUMN audit.data_subject_requests.certificate_digest IS 'SHA-256 of the certificate, in hexadecimal.';
COMMENT ON COLUMN audit.data_subject_requests.closed_at IS 'When the request was answered.';
COMMENT ON COLUMN audit.data_subject_requests.refusal_ground IS 'Ground of a refusal, whole or in part.';
COMMENT ON COLUMN audit.data_subject_requests.retained_until IS 'When rows kept on a ground can go.';
COMMENT ON COLUMN audit.data_subject_requests.created_at IS 'When the row was made.';
COMMENT ON COLUMN audit.data_subject_requests.updated_at IS 'When the row was last changed; set by a trigger.';

CREATE TABLE IF NOT EXISTS audit.plan_approvals (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    request_id uuid,
    operation text NOT NULL,
    plan_digest text NOT NULL,
    planned_by text NOT NULL,
    decision text NOT NULL,
    reason text,
    approved_by text NOT NULL DEFAULT session_user,
    approved_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT plan_approvals_pkey PRIMARY KEY (id),
    CONSTRAINT plan_approvals_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES audit.data_subject_requests (id) ON DELETE RESTRICT,
    CONSTRAINT plan_approvals_decision_check CHECK (decision IN ('approved', 'rejected')),
    CONSTRAINT plan_approvals_plan_digest_check CHECK (plan_digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT plan_approvals_approved_by_check CHECK (approved_by <> planned_by),
    CONSTRAINT plan_approvals_expires_at_check CHECK (expires_at > approved_at)
);
COMMENT ON TABLE audit.plan_approvals IS 'Signatures under a plan. The approver signs the digest and is never the planner.';
COMMENT ON COLUMN audit.plan_approvals.id IS 'Key of the row.';
COMMENT ON COLUMN audit.plan_approvals.request_id IS 'The data-subject request, where the plan is one''s.';
COMMENT ON COLUMN audit.plan_approvals.operation IS 'The command the plan belongs to.';
COMMENT ON COLUMN audit.plan_approvals.plan_digest IS 'SHA-256 of the plan, in hexadecimal.';
COMMENT ON COLUMN audit.plan_approvals.planned_by IS 'Login that made the plan.';
COMMENT ON COLUMN audit.plan_approvals.decision IS 'Outcome.';
COMMENT ON COLUMN audit.plan_approvals.reason IS 'Why.';
COMMENT ON COLUMN audit.plan_approvals.approved_by IS 'Login that decided; the server sets it.';
COMMENT ON COLUMN audit.plan_approvals.approved_at IS 'When.';
COMMENT ON COLUMN audit.plan_approvals.expires_at IS 'After this the approval is void.';

CREATE TABLE IF NOT EXISTS audit.erasure_tombstones (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    request_id uuid NOT NULL,
    subject_kind text NOT NULL,
    subject_hmac bytea NOT NULL,
    hmac_key_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz,
    commit_lsn pg_lsn,
    expires_at timestamptz NOT NULL,
    CONSTRAINT erasure_tombstones_pkey PRIMARY KEY (id),
    CONSTRAINT erasure_tombstones_subject_key UNIQUE (subject_kind, hmac_key_id, subject_hmac),
    CONSTRAINT erasure_tombstones_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES audit.data_subject_requests (id) ON DELETE RESTRICT,
    CONSTRAINT erasure_tombstones_subject_kind_check CHECK (subject_kind IN ('user', 'child', 'family', 'email')),
    CONSTRAINT erasure_tombstones_subject_hmac_check CHECK (octet_length(subject_hmac) = 32),
    CONSTRAINT erasure_tombstones_expires_at_check CHECK (expires_at > recorded_at)
);
COMMENT ON TABLE audit.erasure_tombstones IS 'Keyed hashes of erased subjects, mirror of the copy outside the database, so that a restored backup can be erased again.';
COMMENT ON COLUMN audit.erasure_tombstones.id IS 'Key of the row.';
COMMENT ON COLUMN audit.erasure_tombstones.request_id IS 'The request that erased.';
COMMENT ON COLUMN audit.erasure_tombstones.subject_kind IS 'What the hash stands for.';
COMMENT ON COLUMN audit.erasure_tombstones.subject_hmac IS 'HMAC-SHA256 of kind and key; the key of the HMAC is not in the database.';
COMMENT ON COLUMN audit.erasure_tombstones.hmac_key_id IS 'Which key made it.';
COMMENT ON COLUMN audit.erasure_tombstones.recorded_at IS 'When it was written, before the first deletion.';
COMMENT ON COLUMN audit.erasure_tombstones.erased_at IS 'When the erasure was committed.';
COMMENT ON COLUMN audit.erasure_tombstones.commit_lsn IS 'Place in the log after that commit.';
COMMENT ON COLUMN audit.erasure_tombstones.expires_at IS 'When no backup can hold the subject any more.';

CREATE TABLE IF NOT EXISTS audit.recipient_notices (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    request_id uuid NOT NULL,
    recipient text NOT NULL,
    notified_at timestamptz,
    acknowledged_at timestamptz,
    reference text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT recipient_notices_pkey PRIMARY KEY (id),
    CONSTRAINT recipient_notices_recipient_key UNIQUE (request_id, recipient),
    CONSTRAINT recipient_notices_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES audit.data_subject_requests (id) ON DELETE CASCADE
);
COMMENT ON TABLE audit.recipient_notices IS 'Recipients told about an erasure or correction (GDPR Article 19), and their answers.';
COMMENT ON COLUMN audit.recipient_notices.id IS 'Key of the row.';
COMMENT ON COLUMN audit.recipient_notices.request_id IS 'The request.';
COMMENT ON COLUMN audit.recipient_notices.recipient IS 'Who received the data: a service, not a person.';
COMMENT ON COLUMN audit.recipient_notices.notified_at IS 'When told.';
COMMENT ON COLUMN audit.recipient_notices.acknowledged_at IS 'When they confirmed.';
COMMENT ON COLUMN audit.recipient_notices.reference IS 'Their reference.';
COMMENT ON COLUMN audit.recipient_notices.created_at IS 'When the row was made.';

-- ===========================================================================
-- 03_create_indexes.sql
-- ===========================================================================

-- 03_create_indexes.sql: indexes beside those of keys and unique constraints.
-- Run after 02_create_tables.sql. Safe to run again. PostgreSQL 15 to 19.
--
-- Every foreign key has an index on the referencing side, so that erasing a
-- family touches its own rows only. Columns that policies compare lead an index.
-- Indexes of partitioned tables are made on the parent; partitions inherit them.

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
-- core
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_sessions_user_id_expires_at
ON core.sessions (user_id, expires_at);
CREATE INDEX IF NOT EXISTS idx_sessions_device_id
ON core.sessions (device_id);
-- For core.cleanup_expired_sessions.
CREATE INDEX IF NOT EXISTS idx_sessions_expires_at
ON core.sessions (expires_at);
CREATE INDEX IF NOT EXISTS idx_user_tokens_user_id_purpose
ON core.user_tokens (user_id, purpose);
CREATE INDEX IF NOT EXISTS idx_user_tokens_expires_at
ON core.user_tokens (expires_at);
-- Retention asks before each batch who is on hold; few ever are.
CREATE INDEX IF NOT EXISTS idx_users_legal_hold
ON core.users (id)
WHERE legal_hold;

-- ---------------------------------------------------------------------------
-- family
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_families_created_by
ON family.families (created_by);
CREATE INDEX IF NOT EXISTS idx_families_legal_hold
ON family.families (id)
WHERE legal_hold;
-- family.my_family_ids reads this index alone; every policy depends on it.
CREATE INDEX IF NOT EXISTS idx_family_members_user_id_family_id
ON family.family_members (user_id, family_id);
CREATE INDEX IF NOT EXISTS idx_invitations_family_id
ON family.invitations (family_id);
CREATE INDEX IF NOT EXISTS idx_invitations_invited_by
ON family.invitations (invited_by);
CREATE INDEX IF NOT EXISTS idx_invitations_accepted_by
ON family.invitations (accepted_by);
CREATE INDEX IF NOT EXISTS idx_invitations_expires_at
ON family.invitations (expires_at);
CREATE INDEX IF NOT EXISTS idx_child_profiles_family_id
ON family.child_profiles (family_id);
CREATE INDEX IF NOT EXISTS idx_child_profiles_legal_hold
ON family.child_profiles (id)
WHERE legal_hold;
CREATE INDEX IF NOT EXISTS idx_guardian_consents_child_id_consent_type_granted_at
ON family.guardian_consents (child_id, consent_type, granted_at);
-- One live consent per guardian and type.
CREATE UNIQUE INDEX IF NOT EXISTS idx_guardian_consents_live
ON family.guardian_consents (child_id, consent_type, guardian_user_id)
WHERE withdrawn_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_guardian_consents_guardian_user_id
ON family.guardian_consents (guardian_user_id);
CREATE INDEX IF NOT EXISTS idx_guardian_consents_withdrawn_by
ON family.guardian_consents (withdrawn_by);
CREATE INDEX IF NOT EXISTS idx_child_notes_child_id_created_at
ON family.child_notes (child_id, created_at);
CREATE INDEX IF NOT EXISTS idx_child_notes_author_id
ON family.child_notes (author_id);

-- ---------------------------------------------------------------------------
-- content
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_categories_parent_id
ON content.categories (parent_id);
CREATE INDEX IF NOT EXISTS idx_items_creator_id
ON content.items (creator_id);
-- The queues of curation.
CREATE INDEX IF NOT EXISTS idx_items_status_updated_at
ON content.items (status, updated_at);
-- A child's list in its final order, all kinds of content: content.get_age_appropriate_content stops after its limit.
CREATE INDEX IF NOT EXISTS idx_item_age_bands_ranked
ON content.item_age_bands (age_year, language, rank_score DESC, item_id);
-- The same for one kind of content.
CREATE INDEX IF NOT EXISTS idx_item_age_bands_ranked_by_type
ON content.item_age_bands (age_year, content_type, language, rank_score DESC, item_id);
CREATE INDEX IF NOT EXISTS idx_item_categories_category_id_item_id
ON content.item_categories (category_id, item_id);
CREATE INDEX IF NOT EXISTS idx_curation_reviews_item_id_reviewed_at
ON content.curation_reviews (item_id, reviewed_at);
CREATE INDEX IF NOT EXISTS idx_curation_reviews_reviewer_id
ON content.curation_reviews (reviewer_id);
CREATE INDEX IF NOT EXISTS idx_collections_family_id
ON content.collections (family_id);
CREATE INDEX IF NOT EXISTS idx_collections_created_by
ON content.collections (created_by);
CREATE INDEX IF NOT EXISTS idx_collection_items_item_id
ON content.collection_items (item_id);
CREATE INDEX IF NOT EXISTS idx_engagement_child_id_started_at
ON content.engagement (child_id, started_at);
CREATE INDEX IF NOT EXISTS idx_engagement_item_id_started_at
ON content.engagement (item_id, started_at);

-- ---------------------------------------------------------------------------
-- audio
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_sessions_child_id_started_at
ON audio.sessions (child_id, started_at);
CREATE INDEX IF NOT EXISTS idx_speech_metrics_child_id_session_started_at
ON audio.speech_metrics (child_id, session_started_at);
CREATE INDEX IF NOT EXISTS idx_session_archive_child_id_started_at
ON audio.session_archive (child_id, started_at);

-- ---------------------------------------------------------------------------
-- subscription
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_subscriptions_family_id
ON subscription.subscriptions (family_id);
-- A family has one running subscription.
CREATE UNIQUE INDEX IF NOT EXISTS idx_subscriptions_running
ON subscription.subscriptions (family_id)
WHERE status IN ('trialing', 'active', 'past_due');
CREATE INDEX IF NOT EXISTS idx_subscriptions_plan_id
ON subscription.subscriptions (plan_id);
CREATE INDEX IF NOT EXISTS idx_subscriptions_payer_user_id
ON subscription.subscriptions (payer_user_id);
CREATE INDEX IF NOT EXISTS idx_invoices_family_id_issued_at
ON subscription.invoices (family_id, issued_at);
CREATE INDEX IF NOT EXISTS idx_invoices_subscription_id
ON subscription.invoices (subscription_id);
CREATE INDEX IF NOT EXISTS idx_invoices_retention_until
ON subscription.invoices (retention_until);
CREATE INDEX IF NOT EXISTS idx_payments_family_id_occurred_at
ON subscription.payments (family_id, occurred_at);
CREATE INDEX IF NOT EXISTS idx_payments_subscription_id
ON subscription.payments (subscription_id);
CREATE INDEX IF NOT EXISTS idx_payments_invoice_id
ON subscription.payments (invoice_id);
CREATE INDEX IF NOT EXISTS idx_payments_retention_until
ON subscription.payments (retention_until);
CREATE INDEX IF NOT EXISTS idx_payments_legal_hold
ON subscription.payments (invoice_id)
WHERE legal_hold;

-- ---------------------------------------------------------------------------
-- analytics
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_events_child_id_occurred_at
ON analytics.events (child_id, occurred_at);
CREATE INDEX IF NOT EXISTS idx_events_family_id_occurred_at
ON analytics.events (family_id, occurred_at);
CREATE INDEX IF NOT EXISTS idx_events_user_id_occurred_at
ON analytics.events (user_id, occurred_at);
CREATE INDEX IF NOT EXISTS idx_events_event_name_occurred_at
ON analytics.events (event_name, occurred_at);
CREATE INDEX IF NOT EXISTS idx_daily_child_metrics_metric_date
ON analytics.daily_child_metrics (metric_date);
CREATE INDEX IF NOT EXISTS idx_insights_child_id_created_at
ON analytics.insights (child_id, created_at);
CREATE INDEX IF NOT EXISTS idx_child_milestones_milestone_id
ON analytics.child_milestones (milestone_id);
CREATE INDEX IF NOT EXISTS idx_child_milestones_recorded_by
ON analytics.child_milestones (recorded_by);
CREATE INDEX IF NOT EXISTS idx_reports_family_id_generated_at
ON analytics.reports (family_id, generated_at);
CREATE INDEX IF NOT EXISTS idx_reports_child_id_generated_at
ON analytics.reports (child_id, generated_at);
CREATE INDEX IF NOT EXISTS idx_reports_expires_at
ON analytics.reports (expires_at);

-- ---------------------------------------------------------------------------
-- safety
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_content_reports_item_id
ON safety.content_reports (item_id);
CREATE INDEX IF NOT EXISTS idx_content_reports_reporter_user_id
ON safety.content_reports (reporter_user_id);
CREATE INDEX IF NOT EXISTS idx_content_reports_status_created_at
ON safety.content_reports (status, created_at);
CREATE INDEX IF NOT EXISTS idx_parental_controls_updated_by
ON safety.parental_controls (updated_by);
CREATE INDEX IF NOT EXISTS idx_incidents_family_id
ON safety.incidents (family_id);
CREATE INDEX IF NOT EXISTS idx_incidents_child_id
ON safety.incidents (child_id);
CREATE INDEX IF NOT EXISTS idx_incidents_item_id
ON safety.incidents (item_id);
CREATE INDEX IF NOT EXISTS idx_incidents_reported_by
ON safety.incidents (reported_by);
CREATE INDEX IF NOT EXISTS idx_incidents_status_occurred_at
ON safety.incidents (status, occurred_at);

-- ---------------------------------------------------------------------------
-- ml
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_child_features_model_version_id
ON ml.child_features (model_version_id);
CREATE INDEX IF NOT EXISTS idx_recommendations_child_id_created_at
ON ml.recommendations (child_id, created_at);
CREATE INDEX IF NOT EXISTS idx_recommendations_item_id
ON ml.recommendations (item_id);
CREATE INDEX IF NOT EXISTS idx_recommendations_model_version_id
ON ml.recommendations (model_version_id);
CREATE INDEX IF NOT EXISTS idx_recommendations_expires_at
ON ml.recommendations (expires_at);

-- ---------------------------------------------------------------------------
-- audit
-- ---------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_activity_log_child_id_timestamp
ON audit.activity_log (child_id, "timestamp")
WHERE child_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_activity_log_family_id_timestamp
ON audit.activity_log (family_id, "timestamp")
WHERE family_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_activity_log_user_id_timestamp
ON audit.activity_log (user_id, "timestamp")
WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_activity_log_subject_user_id_timestamp
ON audit.activity_log (subject_user_id, "timestamp")
WHERE subject_user_id IS NOT NULL;
-- The retention job asks for exactly these rows.
CREATE INDEX IF NOT EXISTS idx_activity_log_retention_until
ON audit.activity_log (retention_until)
WHERE NOT legal_hold;
-- Attempts to erase without a right to; few rows.
CREATE INDEX IF NOT EXISTS idx_activity_log_erasure_attempts
ON audit.activity_log ("timestamp")
WHERE erasure_attempt;
CREATE INDEX IF NOT EXISTS idx_data_retention_policies_table_schema_table_name
ON audit.data_retention_policies (table_schema, table_name);
CREATE INDEX IF NOT EXISTS idx_operator_ledger_op_id_seq
ON audit.operator_ledger (op_id, seq);
CREATE INDEX IF NOT EXISTS idx_operator_ledger_ts
ON audit.operator_ledger (ts);
CREATE INDEX IF NOT EXISTS idx_data_subject_requests_status_due_at
ON audit.data_subject_requests (status, due_at);
CREATE INDEX IF NOT EXISTS idx_data_subject_requests_subject_user_id
ON audit.data_subject_requests (subject_user_id)
WHERE subject_user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_data_subject_requests_subject_child_id
ON audit.data_subject_requests (subject_child_id)
WHERE subject_child_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_data_subject_requests_subject_family_id
ON audit.data_subject_requests (subject_family_id)
WHERE subject_family_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_plan_approvals_request_id
ON audit.plan_approvals (request_id);
CREATE INDEX IF NOT EXISTS idx_plan_approvals_plan_digest
ON audit.plan_approvals (plan_digest);
CREATE INDEX IF NOT EXISTS idx_erasure_tombstones_request_id
ON audit.erasure_tombstones (request_id);

-- ===========================================================================
-- 04_create_functions.sql
-- ===========================================================================

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

-- ===========================================================================
-- 05_create_triggers.sql
-- ===========================================================================

-- 05_create_triggers.sql: upkeep, validation, consent and audit triggers.
-- Run after 04_create_functions.sql. Safe to run again. PostgreSQL 15 to 19.

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
-- updated_at. Named to fire after validation: triggers run by name.
-- ---------------------------------------------------------------------------

CREATE OR REPLACE TRIGGER users_updated_at
BEFORE UPDATE ON core.users
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at('email_normalized');

CREATE OR REPLACE TRIGGER user_devices_updated_at
BEFORE UPDATE ON core.user_devices
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER user_preferences_updated_at
BEFORE UPDATE ON core.user_preferences
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER families_updated_at
BEFORE UPDATE ON family.families
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER family_members_updated_at
BEFORE UPDATE ON family.family_members
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER child_profiles_updated_at
BEFORE UPDATE ON family.child_profiles
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER child_notes_updated_at
BEFORE UPDATE ON family.child_notes
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER creators_updated_at
BEFORE UPDATE ON content.creators
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER categories_updated_at
BEFORE UPDATE ON content.categories
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER items_updated_at
BEFORE UPDATE ON content.items
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at('rank_score');

CREATE OR REPLACE TRIGGER collections_updated_at
BEFORE UPDATE ON content.collections
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER sessions_updated_at
BEFORE UPDATE ON audio.sessions
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER plans_updated_at
BEFORE UPDATE ON subscription.plans
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER subscriptions_updated_at
BEFORE UPDATE ON subscription.subscriptions
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER invoices_updated_at
BEFORE UPDATE ON subscription.invoices
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER payments_updated_at
BEFORE UPDATE ON subscription.payments
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER milestones_updated_at
BEFORE UPDATE ON analytics.milestones
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER child_milestones_updated_at
BEFORE UPDATE ON analytics.child_milestones
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER content_ratings_updated_at
BEFORE UPDATE ON safety.content_ratings
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER content_reports_updated_at
BEFORE UPDATE ON safety.content_reports
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER parental_controls_updated_at
BEFORE UPDATE ON safety.parental_controls
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER incidents_updated_at
BEFORE UPDATE ON safety.incidents
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER models_updated_at
BEFORE UPDATE ON ml.models
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER model_versions_updated_at
BEFORE UPDATE ON ml.model_versions
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER data_retention_policies_updated_at
BEFORE UPDATE ON audit.data_retention_policies
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();

CREATE OR REPLACE TRIGGER data_subject_requests_updated_at
BEFORE UPDATE ON audit.data_subject_requests
FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at();


-- ---------------------------------------------------------------------------
-- Validation that constraints cannot express
-- ---------------------------------------------------------------------------

CREATE OR REPLACE TRIGGER users_timezone
BEFORE INSERT OR UPDATE OF timezone ON core.users
FOR EACH ROW EXECUTE FUNCTION core.validate_timezone();

CREATE OR REPLACE TRIGGER families_timezone
BEFORE INSERT OR UPDATE OF timezone ON family.families
FOR EACH ROW EXECUTE FUNCTION core.validate_timezone();

CREATE OR REPLACE TRIGGER child_profiles_birth_date
BEFORE INSERT OR UPDATE OF birth_date ON family.child_profiles
FOR EACH ROW EXECUTE FUNCTION family.validate_child();

CREATE OR REPLACE TRIGGER guardian_consents_protect
BEFORE INSERT OR UPDATE ON family.guardian_consents
FOR EACH ROW EXECUTE FUNCTION family.protect_consent();

CREATE OR REPLACE TRIGGER family_members_leave
AFTER DELETE OR UPDATE OF can_consent ON family.family_members
FOR EACH ROW EXECUTE FUNCTION family.withdraw_consents_of_leaver();

CREATE OR REPLACE TRIGGER categories_tree
BEFORE INSERT OR UPDATE OF parent_id ON content.categories
FOR EACH ROW EXECUTE FUNCTION content.validate_category();

CREATE OR REPLACE TRIGGER items_publish
BEFORE INSERT OR UPDATE OF status ON content.items
FOR EACH ROW EXECUTE FUNCTION content.validate_item();

CREATE OR REPLACE TRIGGER items_age_bands
AFTER INSERT OR UPDATE ON content.items
FOR EACH ROW EXECUTE FUNCTION content.sync_age_bands();

CREATE OR REPLACE TRIGGER engagement_time
BEFORE INSERT OR UPDATE OF started_at ON content.engagement
FOR EACH ROW EXECUTE FUNCTION content.validate_engagement();

CREATE OR REPLACE TRIGGER speech_metrics_session
BEFORE INSERT OR UPDATE OF session_id, session_started_at, child_id, window_start ON audio.speech_metrics
FOR EACH ROW EXECUTE FUNCTION audio.validate_speech_metrics();

CREATE OR REPLACE TRIGGER invoices_retention
BEFORE INSERT ON subscription.invoices
FOR EACH ROW EXECUTE FUNCTION subscription.set_retention('subscription.invoices', 'issued_at');

CREATE OR REPLACE TRIGGER payments_retention
BEFORE INSERT ON subscription.payments
FOR EACH ROW EXECUTE FUNCTION subscription.set_retention('subscription.payments', 'occurred_at');

CREATE OR REPLACE TRIGGER child_milestones_day
BEFORE INSERT OR UPDATE OF achieved_on ON analytics.child_milestones
FOR EACH ROW EXECUTE FUNCTION analytics.validate_child_milestone();

CREATE OR REPLACE TRIGGER parental_controls_blocked
BEFORE INSERT OR UPDATE OF blocked_content_types, blocked_category_ids ON safety.parental_controls
FOR EACH ROW EXECUTE FUNCTION safety.validate_parental_controls();

CREATE OR REPLACE TRIGGER child_features_scalar
BEFORE INSERT OR UPDATE OF features ON ml.child_features
FOR EACH ROW EXECUTE FUNCTION ml.validate_features();

CREATE OR REPLACE TRIGGER data_subject_requests_due
BEFORE INSERT OR UPDATE OF received_at, due_at ON audit.data_subject_requests
FOR EACH ROW EXECUTE FUNCTION audit.set_request_due();


-- ---------------------------------------------------------------------------
-- Consent: what collects about a child refuses without it. Ending or correcting
-- what was collected stays possible, moving it to another child does not.
-- ---------------------------------------------------------------------------

CREATE OR REPLACE TRIGGER sessions_consent
BEFORE INSERT OR UPDATE OF child_id ON audio.sessions
FOR EACH ROW EXECUTE FUNCTION family.require_consent('audio_analysis');

CREATE OR REPLACE TRIGGER speech_metrics_consent
BEFORE INSERT OR UPDATE OF child_id ON audio.speech_metrics
FOR EACH ROW EXECUTE FUNCTION family.require_consent('audio_analysis');

CREATE OR REPLACE TRIGGER engagement_consent
BEFORE INSERT OR UPDATE OF child_id ON content.engagement
FOR EACH ROW EXECUTE FUNCTION family.require_consent('data_collection');

CREATE OR REPLACE TRIGGER events_consent
BEFORE INSERT OR UPDATE OF child_id ON analytics.events
FOR EACH ROW EXECUTE FUNCTION family.require_consent('data_collection');

CREATE OR REPLACE TRIGGER child_features_consent
BEFORE INSERT OR UPDATE OF child_id, features ON ml.child_features
FOR EACH ROW EXECUTE FUNCTION family.require_consent('personalization');


-- ---------------------------------------------------------------------------
-- Audit trail. The arguments are the columns never recorded: credentials and
-- encrypted text; a test compares them with the manifest. Rows that a device
-- appends by the thousand are their own record: there the trail keeps changes
-- and deletions. Not audited: analytics.events (a log itself), what triggers and
-- jobs derive (item_age_bands, daily metrics, dashboards, recommendations) and
-- the trail and the ledger themselves.
-- ---------------------------------------------------------------------------

CREATE OR REPLACE TRIGGER users_audit
AFTER INSERT OR UPDATE OR DELETE ON core.users
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('password_hash');

CREATE OR REPLACE TRIGGER users_audit_truncate
AFTER TRUNCATE ON core.users
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER user_devices_audit
AFTER INSERT OR UPDATE OR DELETE ON core.user_devices
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('push_token');

CREATE OR REPLACE TRIGGER user_devices_audit_truncate
AFTER TRUNCATE ON core.user_devices
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER sessions_audit
AFTER INSERT OR UPDATE OR DELETE ON core.sessions
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('token_hash');

CREATE OR REPLACE TRIGGER sessions_audit_truncate
AFTER TRUNCATE ON core.sessions
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER user_tokens_audit
AFTER INSERT OR UPDATE OR DELETE ON core.user_tokens
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('token_hash');

CREATE OR REPLACE TRIGGER user_tokens_audit_truncate
AFTER TRUNCATE ON core.user_tokens
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER user_preferences_audit
AFTER INSERT OR UPDATE OR DELETE ON core.user_preferences
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER user_preferences_audit_truncate
AFTER TRUNCATE ON core.user_preferences
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER families_audit
AFTER INSERT OR UPDATE OR DELETE ON family.families
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER families_audit_truncate
AFTER TRUNCATE ON family.families
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER family_members_audit
AFTER INSERT OR UPDATE OR DELETE ON family.family_members
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER family_members_audit_truncate
AFTER TRUNCATE ON family.family_members
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER invitations_audit
AFTER INSERT OR UPDATE OR DELETE ON family.invitations
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('token_hash');

CREATE OR REPLACE TRIGGER invitations_audit_truncate
AFTER TRUNCATE ON family.invitations
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER child_profiles_audit
AFTER INSERT OR UPDATE OR DELETE ON family.child_profiles
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER child_profiles_audit_truncate
AFTER TRUNCATE ON family.child_profiles
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER guardian_consents_audit
AFTER INSERT OR UPDATE OR DELETE ON family.guardian_consents
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER guardian_consents_audit_truncate
AFTER TRUNCATE ON family.guardian_consents
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER child_notes_audit
AFTER INSERT OR UPDATE OR DELETE ON family.child_notes
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('note_encrypted');

CREATE OR REPLACE TRIGGER child_notes_audit_truncate
AFTER TRUNCATE ON family.child_notes
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER creators_audit
AFTER INSERT OR UPDATE OR DELETE ON content.creators
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER creators_audit_truncate
AFTER TRUNCATE ON content.creators
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER categories_audit
AFTER INSERT OR UPDATE OR DELETE ON content.categories
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER categories_audit_truncate
AFTER TRUNCATE ON content.categories
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

-- The nightly popularity of all items is no decision of anybody's.
CREATE OR REPLACE TRIGGER items_audit
AFTER INSERT OR DELETE ON content.items
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER items_audit_update
AFTER UPDATE ON content.items
FOR EACH ROW
WHEN (
    to_jsonb(old.*) - ARRAY['popularity_score', 'rank_score', 'updated_at']
    IS DISTINCT FROM to_jsonb(new.*) - ARRAY['popularity_score', 'rank_score', 'updated_at']
)
EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER items_audit_truncate
AFTER TRUNCATE ON content.items
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER item_categories_audit
AFTER INSERT OR UPDATE OR DELETE ON content.item_categories
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER item_categories_audit_truncate
AFTER TRUNCATE ON content.item_categories
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER curation_reviews_audit
AFTER INSERT OR UPDATE OR DELETE ON content.curation_reviews
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER curation_reviews_audit_truncate
AFTER TRUNCATE ON content.curation_reviews
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER collections_audit
AFTER INSERT OR UPDATE OR DELETE ON content.collections
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER collections_audit_truncate
AFTER TRUNCATE ON content.collections
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER collection_items_audit
AFTER INSERT OR UPDATE OR DELETE ON content.collection_items
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER collection_items_audit_truncate
AFTER TRUNCATE ON content.collection_items
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER engagement_audit
AFTER UPDATE OR DELETE ON content.engagement
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER engagement_audit_truncate
AFTER TRUNCATE ON content.engagement
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER sessions_audit
AFTER UPDATE OR DELETE ON audio.sessions
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER sessions_audit_truncate
AFTER TRUNCATE ON audio.sessions
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER speech_metrics_audit
AFTER UPDATE OR DELETE ON audio.speech_metrics
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER speech_metrics_audit_truncate
AFTER TRUNCATE ON audio.speech_metrics
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER session_archive_audit
AFTER UPDATE OR DELETE ON audio.session_archive
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER session_archive_audit_truncate
AFTER TRUNCATE ON audio.session_archive
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER plans_audit
AFTER INSERT OR UPDATE OR DELETE ON subscription.plans
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER plans_audit_truncate
AFTER TRUNCATE ON subscription.plans
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER subscriptions_audit
AFTER INSERT OR UPDATE OR DELETE ON subscription.subscriptions
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER subscriptions_audit_truncate
AFTER TRUNCATE ON subscription.subscriptions
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER invoices_audit
AFTER INSERT OR UPDATE OR DELETE ON subscription.invoices
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER invoices_audit_truncate
AFTER TRUNCATE ON subscription.invoices
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER payments_audit
AFTER INSERT OR UPDATE OR DELETE ON subscription.payments
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER payments_audit_truncate
AFTER TRUNCATE ON subscription.payments
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER webhook_events_audit
AFTER INSERT OR UPDATE OR DELETE ON subscription.webhook_events
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER webhook_events_audit_truncate
AFTER TRUNCATE ON subscription.webhook_events
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER insights_audit
AFTER INSERT OR UPDATE OR DELETE ON analytics.insights
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER insights_audit_truncate
AFTER TRUNCATE ON analytics.insights
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER milestones_audit
AFTER INSERT OR UPDATE OR DELETE ON analytics.milestones
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER milestones_audit_truncate
AFTER TRUNCATE ON analytics.milestones
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER child_milestones_audit
AFTER INSERT OR UPDATE OR DELETE ON analytics.child_milestones
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('note_encrypted');

CREATE OR REPLACE TRIGGER child_milestones_audit_truncate
AFTER TRUNCATE ON analytics.child_milestones
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER reports_audit
AFTER INSERT OR UPDATE OR DELETE ON analytics.reports
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER reports_audit_truncate
AFTER TRUNCATE ON analytics.reports
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER content_ratings_audit
AFTER INSERT OR UPDATE OR DELETE ON safety.content_ratings
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER content_ratings_audit_truncate
AFTER TRUNCATE ON safety.content_ratings
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER content_reports_audit
AFTER INSERT OR UPDATE OR DELETE ON safety.content_reports
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('details_encrypted');

CREATE OR REPLACE TRIGGER content_reports_audit_truncate
AFTER TRUNCATE ON safety.content_reports
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER parental_controls_audit
AFTER INSERT OR UPDATE OR DELETE ON safety.parental_controls
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER parental_controls_audit_truncate
AFTER TRUNCATE ON safety.parental_controls
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER incidents_audit
AFTER INSERT OR UPDATE OR DELETE ON safety.incidents
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change('description_encrypted');

CREATE OR REPLACE TRIGGER incidents_audit_truncate
AFTER TRUNCATE ON safety.incidents
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER models_audit
AFTER INSERT OR UPDATE OR DELETE ON ml.models
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER models_audit_truncate
AFTER TRUNCATE ON ml.models
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER model_versions_audit
AFTER INSERT OR UPDATE OR DELETE ON ml.model_versions
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER model_versions_audit_truncate
AFTER TRUNCATE ON ml.model_versions
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER child_features_audit
AFTER INSERT OR UPDATE OR DELETE ON ml.child_features
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER child_features_audit_truncate
AFTER TRUNCATE ON ml.child_features
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER data_retention_policies_audit
AFTER INSERT OR UPDATE OR DELETE ON audit.data_retention_policies
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER data_retention_policies_audit_truncate
AFTER TRUNCATE ON audit.data_retention_policies
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER backups_audit
AFTER INSERT OR UPDATE OR DELETE ON audit.backups
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER backups_audit_truncate
AFTER TRUNCATE ON audit.backups
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER data_subject_requests_audit
AFTER INSERT OR UPDATE OR DELETE ON audit.data_subject_requests
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER data_subject_requests_audit_truncate
AFTER TRUNCATE ON audit.data_subject_requests
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER plan_approvals_audit
AFTER INSERT OR UPDATE OR DELETE ON audit.plan_approvals
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER plan_approvals_audit_truncate
AFTER TRUNCATE ON audit.plan_approvals
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER erasure_tombstones_audit
AFTER INSERT OR UPDATE OR DELETE ON audit.erasure_tombstones
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER erasure_tombstones_audit_truncate
AFTER TRUNCATE ON audit.erasure_tombstones
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();

CREATE OR REPLACE TRIGGER recipient_notices_audit
AFTER INSERT OR UPDATE OR DELETE ON audit.recipient_notices
FOR EACH ROW EXECUTE FUNCTION audit.log_row_change();

CREATE OR REPLACE TRIGGER recipient_notices_audit_truncate
AFTER TRUNCATE ON audit.recipient_notices
FOR EACH STATEMENT EXECUTE FUNCTION audit.log_truncate();


-- ---------------------------------------------------------------------------
-- The operator ledger is append-only for everyone, also under
-- session_replication_role = replica.
-- ---------------------------------------------------------------------------

CREATE OR REPLACE TRIGGER operator_ledger_append_only
BEFORE UPDATE OR DELETE ON audit.operator_ledger
FOR EACH ROW EXECUTE FUNCTION audit.refuse_ledger_change();

CREATE OR REPLACE TRIGGER operator_ledger_no_truncate
BEFORE TRUNCATE ON audit.operator_ledger
FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_ledger_change();

CREATE OR REPLACE TRIGGER ledger_checkpoints_append_only
BEFORE UPDATE OR DELETE ON audit.ledger_checkpoints
FOR EACH ROW EXECUTE FUNCTION audit.refuse_ledger_change();

CREATE OR REPLACE TRIGGER ledger_checkpoints_no_truncate
BEFORE TRUNCATE ON audit.ledger_checkpoints
FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_ledger_change();

ALTER TABLE audit.operator_ledger ENABLE ALWAYS TRIGGER operator_ledger_append_only;
ALTER TABLE audit.operator_ledger ENABLE ALWAYS TRIGGER operator_ledger_no_truncate;
ALTER TABLE audit.ledger_checkpoints ENABLE ALWAYS TRIGGER ledger_checkpoints_append_only;
ALTER TABLE audit.ledger_checkpoints ENABLE ALWAYS TRIGGER ledger_checkpoints_no_truncate;

-- ===========================================================================
-- 06_seed_data.sql
-- ===========================================================================

-- 06_seed_data.sql: reference data, and sample families to try things on.
-- Run after 05_create_triggers.sql. Safe to run again. PostgreSQL 15 to 19.
--
-- Keys are made from names by md5, dates are fixed (but for when the sample
-- insights were made): the same rows everywhere. A row that exists is left as it
-- is, so that a price or text changed later stays.
-- The months of partitions move on and fixed dates do not, so samples have no
-- rows in the tables partitioned by month; `wnadmin sample load` makes those.
-- Sample families have is_sample and passwords that match nothing; they are
-- skipped when app.seed_samples is off, as in a production profile.

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
-- Retention: the only place where durations are written
-- ---------------------------------------------------------------------------

INSERT INTO audit.data_retention_policies (
    id, policy_code, table_schema, table_name, time_column, retention_period, action, purpose, business_need,
    legal_basis, is_active
)
SELECT
    md5('wondernest/policy/' || p.policy_code)::uuid,
    p.policy_code,
    p.table_schema,
    p.table_name,
    p.time_column,
    p.retention_period,
    p.action,
    p.purpose,
    p.business_need,
    p.legal_basis,
    p.is_active
FROM (
    VALUES
    (
        'core.users', 'core', 'users', 'last_login_at', INTERVAL '24 months', 'delete',
        'Sign-in and service of parents.',
        'An unused account has no purpose; erased on approval, never by a job, hence not active.', 'contract', false
    ),
    (
        'core.user_devices', 'core', 'user_devices', 'last_seen_at', INTERVAL '24 months', 'delete',
        'Messages to the devices of a parent.', 'A device not seen for two years is not in use.', 'contract', true
    ),
    (
        'core.sessions', 'core', 'sessions', 'expires_at', INTERVAL '1 day', 'delete', 'Staying signed in.',
        'An expired session serves nothing; a day allows for clocks.', 'contract', true
    ),
    (
        'core.user_tokens', 'core', 'user_tokens', 'expires_at', INTERVAL '1 day', 'delete', 'One-time links.',
        'An expired link serves nothing.', 'contract', true
    ),
    (
        'core.user_preferences', 'core', 'user_preferences', NULL, NULL::interval, 'delete',
        'Settings of a parent.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'family.families', 'family', 'families', NULL, NULL::interval, 'delete', 'The household.',
        'Needed as long as the account exists.', 'contract', true
    ),
    (
        'family.family_members', 'family', 'family_members', NULL, NULL::interval, 'delete',
        'Who belongs to a household.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'family.invitations', 'family', 'invitations', 'expires_at', INTERVAL '30 days', 'delete',
        'Inviting a second parent.', 'A month to answer questions about an invitation.', 'contract', true
    ),
    (
        'family.child_profiles', 'family', 'child_profiles', NULL, NULL::interval, 'delete',
        'Choosing what suits a child.',
        'Needed as long as the profile exists; a guardian can delete it at any time.', 'consent', true
    ),
    (
        'family.guardian_consents', 'family', 'guardian_consents', NULL, NULL::interval, 'delete',
        'Proof of parental consent.', 'Proof is needed as long as data about the child is held.',
        'legal_obligation', true
    ),
    (
        'family.child_notes', 'family', 'child_notes', NULL, NULL::interval, 'delete', 'Notes of guardians.',
        'Needed as long as the profile exists; a guardian can delete it at any time.', 'consent', true
    ),
    (
        'content.library', 'content', 'items', NULL, NULL::interval, 'archive', 'The content library.',
        'Not about a person.', 'none', true
    ),
    (
        'content.curation_reviews', 'content', 'curation_reviews', 'reviewed_at', INTERVAL '5 years', 'delete',
        'Quality of curation.', 'A decision can be questioned as long as the item is offered; five years at most.',
        'legitimate_interest', true
    ),
    (
        'content.collections', 'content', 'collections', NULL, NULL::interval, 'delete', 'Lists of a family.',
        'Needed as long as the account exists.', 'contract', true
    ),
    (
        'content.collection_items', 'content', 'collection_items', NULL, NULL::interval, 'delete',
        'Lists of a family.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'content.engagement', 'content', 'engagement', 'started_at', INTERVAL '24 months', 'detach_partition',
        'Proposals that fit, and screen time.', 'Habits older than two years say nothing about a child today.',
        'consent', true
    ),
    (
        'audio.sessions', 'audio', 'sessions', 'started_at', INTERVAL '90 days', 'archive', 'Speech at home.',
        'Single sessions matter for a quarter; their sums are archived.', 'consent', true
    ),
    (
        'audio.speech_metrics', 'audio', 'speech_metrics', 'session_started_at', INTERVAL '90 days', 'archive',
        'Speech at home.', 'They go with their session.', 'consent', true
    ),
    (
        'audio.session_archive', 'audio', 'session_archive', 'started_at', INTERVAL '5 years', 'delete',
        'Development of speech over years.', 'From the first words to school.', 'consent', true
    ),
    (
        'subscription.plans', 'subscription', 'plans', NULL, NULL::interval, 'archive', 'The price list.',
        'Not about a person.', 'none', true
    ),
    (
        'subscription.subscriptions', 'subscription', 'subscriptions', NULL, NULL::interval, 'delete',
        'What a family subscribed to.', 'Needed as long as the account exists.', 'contract', true
    ),
    (
        'subscription.invoices', 'subscription', 'invoices', 'issued_at', INTERVAL '10 years', 'delete', 'Books.',
        'Tax law, counted from the end of the year.', 'legal_obligation', true
    ),
    (
        'subscription.payments', 'subscription', 'payments', 'occurred_at', INTERVAL '10 years', 'delete', 'Books.',
        'Tax law, counted from the end of the year.', 'legal_obligation', true
    ),
    (
        'subscription.webhook_events', 'subscription', 'webhook_events', 'received_at', INTERVAL '1 year', 'delete',
        'Counting each message of a provider once.', 'Providers repeat messages for months.', 'legitimate_interest',
        true
    ),
    (
        'analytics.events', 'analytics', 'events', 'occurred_at', INTERVAL '14 months', 'detach_partition',
        'Finding what does not work.', 'A year can be compared with the one before.', 'consent', true
    ),
    (
        'analytics.daily_child_metrics', 'analytics', 'daily_child_metrics', 'metric_date', INTERVAL '5 years',
        'delete', 'The parents'' view of development.', 'From the first words to school.', 'consent', true
    ),
    (
        'analytics.insights', 'analytics', 'insights', 'created_at', INTERVAL '1 year', 'delete',
        'Remarks for parents.', 'A remark of last year is outdated.', 'consent', true
    ),
    (
        'analytics.catalogue', 'analytics', 'milestones', NULL, NULL::interval, 'archive',
        'Catalogue of milestones.', 'Not about a person.', 'none', true
    ),
    (
        'analytics.dashboards', 'analytics', 'family_dashboard_daily', NULL, NULL::interval, 'delete',
        'Dashboards.', 'Computed again at each refresh.', 'none', true
    ),
    (
        'analytics.child_milestones', 'analytics', 'child_milestones', NULL, NULL::interval, 'delete',
        'What a child reached.', 'Needed as long as the profile exists; a guardian can delete it at any time.',
        'consent', true
    ),
    (
        'analytics.reports', 'analytics', 'reports', 'generated_at', INTERVAL '1 year', 'delete',
        'Reports for parents.', 'A report can be made again.', 'contract', true
    ),
    (
        'safety.content_reports', 'safety', 'content_reports', 'created_at', INTERVAL '3 years', 'delete',
        'Complaints about content.', 'A pattern shows over years.', 'legitimate_interest', true
    ),
    (
        'safety.parental_controls', 'safety', 'parental_controls', NULL, NULL::interval, 'delete',
        'Limits set by guardians.', 'Needed as long as the profile exists; a guardian can delete it at any time.',
        'contract', true
    ),
    (
        'safety.incidents', 'safety', 'incidents', 'resolved_at', INTERVAL '3 years', 'delete',
        'Safety of children.', 'Claims can be raised for three years.', 'legal_obligation', true
    ),
    (
        'ml.models', 'ml', 'models', NULL, NULL::interval, 'archive', 'Which models were used.',
        'Not about a person.', 'none', true
    ),
    (
        'ml.child_features', 'ml', 'child_features', 'computed_at', INTERVAL '180 days', 'delete',
        'Input of recommendations.', 'Older figures mislead.', 'consent', true
    ),
    (
        'ml.recommendations', 'ml', 'recommendations', 'created_at', INTERVAL '90 days', 'delete',
        'Proposals to a child.', 'Older proposals are not shown again.', 'consent', true
    ),
    (
        'audit.activity_log', 'audit', 'activity_log', 'timestamp', INTERVAL '3 years', 'delete',
        'Finding misuse and mistakes.', 'Misuse is often found late; claims can be raised for three years.',
        'legal_obligation', true
    ),
    (
        'audit.rules', 'audit', 'data_retention_policies', NULL, NULL::interval, 'archive', 'Rules.',
        'Not about a person.', 'none', true
    ),
    (
        'audit.operator_ledger', 'audit', 'operator_ledger', 'ts', INTERVAL '10 years', 'archive',
        'Proof of what operators did.', 'As long as the books it explains.', 'legitimate_interest', true
    ),
    (
        'audit.backups', 'audit', 'backups', 'expires_at', INTERVAL '5 years', 'delete',
        'Proof of which copies existed and when they went.', 'As long as the requests that it answers for.',
        'legal_obligation', true
    ),
    (
        'audit.data_subject_requests', 'audit', 'data_subject_requests', 'closed_at', INTERVAL '5 years', 'delete',
        'Proof that requests were answered.', 'Authorities may ask for years afterwards.', 'legal_obligation', true
    ),
    (
        'audit.erasure_tombstones', 'audit', 'erasure_tombstones', 'recorded_at', INTERVAL '13 months', 'delete',
        'Erasing again after a restore.', 'The oldest backup is a year old; a month allows for delay.',
        'legal_obligation', true
    )
) AS p (
    policy_code, table_schema, table_name, time_column, retention_period, action, purpose, business_need, legal_basis,
    is_active
)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Plans
-- ---------------------------------------------------------------------------

INSERT INTO subscription.plans (id, code, name, description, price_cents, billing_interval, max_children, features)
SELECT
    md5('wondernest/plan/' || p.code)::uuid,
    p.code,
    p.name,
    p.description,
    p.price_cents,
    p.billing_interval,
    p.max_children,
    p.features::jsonb
FROM (
    VALUES
    (
        'free', 'Free', 'One child, the library of the day, weekly summary.', 0, 'none', 1,
        '{"library": "daily", "speech_metrics": false, "reports": false}'
    ),
    (
        'plus_monthly', 'Plus, monthly', 'Up to two children, whole library, speech metrics.', 799, 'month', 2,
        '{"library": "full", "speech_metrics": true, "reports": false}'
    ),
    (
        'plus_yearly', 'Plus, yearly', 'Up to two children, whole library, speech metrics.', 7990, 'year', 2,
        '{"library": "full", "speech_metrics": true, "reports": false}'
    ),
    (
        'family_monthly', 'Family, monthly', 'Any number of children, speech metrics, monthly reports.', 1299,
        'month', NULL, '{"library": "full", "speech_metrics": true, "reports": true}'
    ),
    (
        'family_yearly', 'Family, yearly', 'Any number of children, speech metrics, monthly reports.', 12990,
        'year', NULL, '{"library": "full", "speech_metrics": true, "reports": true}'
    )
) AS p (code, name, description, price_cents, billing_interval, max_children, features)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Library: topics, publishers, items
-- ---------------------------------------------------------------------------

INSERT INTO content.categories (id, slug, name, description, sort_order)
SELECT
    md5('wondernest/category/' || c.slug)::uuid,
    c.slug,
    c.name,
    c.description,
    c.sort_order
FROM (
    VALUES
    ('animals', 'Animals', 'Pets, farms, the wild.', 0),
    ('music', 'Music', 'Songs, rhythm, instruments.', 10),
    ('nature', 'Nature', 'Plants, weather, seasons.', 20),
    ('stories', 'Stories', 'Tales old and new.', 30),
    ('language', 'Language', 'Words, rhymes, reading.', 40),
    ('numbers', 'Numbers', 'Counting, shapes, measuring.', 50),
    ('art', 'Art', 'Drawing, colours, making things.', 60),
    ('movement', 'Movement', 'Dancing, playing outside, yoga.', 70),
    ('feelings', 'Feelings', 'Friends, courage, being sad.', 80),
    ('science', 'Science', 'How things work.', 90),
    ('world', 'The world', 'Places, people, history.', 100),
    ('vehicles', 'Vehicles', 'Trains, trucks, boats.', 160)
) AS c (slug, name, description, sort_order)
ON CONFLICT DO NOTHING;

INSERT INTO content.categories (id, slug, name, description, parent_id, sort_order)
SELECT
    md5('wondernest/category/' || c.slug)::uuid,
    c.slug,
    c.name,
    c.description,
    p.id,
    c.sort_order
FROM (
    VALUES
    ('space', 'Space', 'Planets and rockets.', 'science', 110),
    ('coding', 'Coding', 'First programs and puzzles.', 'science', 120),
    ('oceans', 'Oceans', 'Life in the sea.', 'nature', 130),
    ('bedtime', 'Bedtime', 'Quiet things for the evening.', 'stories', 140),
    ('dinosaurs', 'Dinosaurs', 'Giants of long ago.', 'animals', 150)
) AS c (slug, name, description, parent_slug, sort_order)
INNER JOIN content.categories AS p ON p.slug = c.parent_slug
ON CONFLICT DO NOTHING;

INSERT INTO content.creators (id, name, kind, is_verified)
SELECT
    md5('wondernest/creator/' || c.name)::uuid,
    c.name,
    c.kind,
    true
FROM (
    VALUES
    ('WonderNest Studio', 'in_house'),
    ('Open Stories Collective', 'organization'),
    ('Small Steps Publishing', 'organization')
) AS c (name, kind)
ON CONFLICT DO NOTHING;

-- Two items and more for every kind of content and band of age. Scores come from
-- the key, so that lists have an order and everywhere the same.
INSERT INTO content.items (
    id, title, description, content_type, creator_id, language, min_age_months, max_age_months, duration_seconds,
    source_url, learning_goals, status, safety_level, quality_score, published_at
)
WITH goals (category_slug, goal) AS (
    VALUES
    ('animals', 'curiosity'),
    ('art', 'creativity'),
    ('bedtime', 'calm'),
    ('coding', 'reasoning'),
    ('dinosaurs', 'curiosity'),
    ('feelings', 'empathy'),
    ('language', 'vocabulary'),
    ('movement', 'motor skills'),
    ('music', 'listening'),
    ('nature', 'curiosity'),
    ('numbers', 'counting'),
    ('oceans', 'curiosity'),
    ('science', 'reasoning'),
    ('space', 'curiosity'),
    ('stories', 'imagination'),
    ('vehicles', 'vocabulary'),
    ('world', 'knowledge')
),

listed (min_age_months, max_age_months, content_type, title, category_slug, duration_seconds, language) AS (
    VALUES
    (0, 11, 'video', 'Slow clouds', 'nature', 180, 'en'),
    (0, 11, 'video', 'Black, white, red', 'art', 120, 'en'),
    (0, 11, 'audio', 'Heartbeat and rain', 'bedtime', 900, 'en'),
    (0, 11, 'audio', 'Voices of the house', 'language', 300, 'en'),
    (0, 11, 'book', 'Hello, face', 'feelings', 90, 'en'),
    (0, 11, 'book', 'Soft and rough', 'nature', 90, 'en'),
    (0, 11, 'game', 'Where is my hand', 'movement', 120, 'en'),
    (0, 11, 'game', 'Tap the light', 'art', 120, 'en'),
    (0, 11, 'activity', 'Tummy time on a blanket', 'movement', 300, 'en'),
    (0, 11, 'activity', 'Peekaboo', 'feelings', 240, 'en'),
    (0, 11, 'song', 'Hush, little boat', 'music', 150, 'en'),
    (0, 11, 'song', 'Ten small toes', 'music', 120, 'en'),
    (12, 23, 'video', 'Farm in the morning', 'animals', 240, 'en'),
    (12, 23, 'video', 'Bubbles', 'science', 180, 'en'),
    (12, 23, 'audio', 'What says moo', 'animals', 240, 'en'),
    (12, 23, 'audio', 'Good night, garden', 'bedtime', 600, 'en'),
    (12, 23, 'book', 'My first words', 'language', 180, 'en'),
    (12, 23, 'book', 'Big dog, small dog', 'animals', 150, 'en'),
    (12, 23, 'game', 'Stack and fall', 'numbers', 180, 'en'),
    (12, 23, 'game', 'Find the duck', 'animals', 180, 'en'),
    (12, 23, 'activity', 'Pots and spoons band', 'music', 600, 'en'),
    (12, 23, 'activity', 'Puddle walk', 'nature', 1200, 'en'),
    (12, 23, 'song', 'Clap, stamp, turn', 'movement', 150, 'en'),
    (12, 23, 'song', 'The bus of bears', 'vehicles', 150, 'en'),
    (24, 35, 'video', 'The little digger', 'vehicles', 300, 'en'),
    (24, 35, 'video', 'Colours in the kitchen', 'art', 300, 'en'),
    (24, 35, 'audio', 'The mitten', 'stories', 420, 'en'),
    (24, 35, 'audio', 'Rain on the roof', 'bedtime', 900, 'en'),
    (24, 35, 'book', 'I can do it', 'feelings', 240, 'en'),
    (24, 35, 'book', 'One duck, two ducks', 'numbers', 240, 'en'),
    (24, 35, 'game', 'Shape post', 'numbers', 240, 'en'),
    (24, 35, 'game', 'Animal shadows', 'animals', 240, 'en'),
    (24, 35, 'activity', 'Paint with water', 'art', 900, 'en'),
    (24, 35, 'activity', 'Hide the teddy', 'language', 600, 'en'),
    (24, 35, 'song', 'Head to toe', 'movement', 150, 'en'),
    (24, 35, 'song', 'Wheels and whistles', 'vehicles', 160, 'en'),
    (36, 59, 'video', 'Why snails are slow', 'animals', 420, 'en'),
    (36, 59, 'video', 'Letters in the park', 'language', 420, 'en'),
    (36, 59, 'audio', 'The fox and the moon', 'stories', 600, 'en'),
    (36, 59, 'audio', 'Sleepy forest', 'bedtime', 1200, 'en'),
    (36, 59, 'book', 'The brave umbrella', 'feelings', 360, 'en'),
    (36, 59, 'book', 'Bridge builders', 'science', 360, 'en'),
    (36, 59, 'game', 'Count the kites', 'numbers', 300, 'en'),
    (36, 59, 'game', 'Rhyme time', 'language', 300, 'en'),
    (36, 59, 'activity', 'Leaf rubbing', 'art', 1200, 'en'),
    (36, 59, 'activity', 'Obstacle course', 'movement', 1500, 'en'),
    (36, 59, 'song', 'Seven days', 'numbers', 170, 'en'),
    (36, 59, 'song', 'Whale song', 'oceans', 180, 'en'),
    (60, 83, 'video', 'Inside a volcano', 'science', 540, 'en'),
    (60, 83, 'video', 'How bread is made', 'world', 480, 'en'),
    (60, 83, 'audio', 'The clockmaker', 'stories', 900, 'en'),
    (60, 83, 'audio', 'Star stories', 'space', 900, 'en'),
    (60, 83, 'book', 'Reading with Pip', 'language', 600, 'en'),
    (60, 83, 'book', 'Bones and fossils', 'dinosaurs', 600, 'en'),
    (60, 83, 'game', 'Market day sums', 'numbers', 420, 'en'),
    (60, 83, 'game', 'Robot steps', 'coding', 480, 'en'),
    (60, 83, 'activity', 'Grow a bean', 'nature', 1800, 'en'),
    (60, 83, 'activity', 'Shadow theatre', 'stories', 1800, 'en'),
    (60, 83, 'song', 'Round the world in a song', 'world', 180, 'en'),
    (60, 83, 'song', 'Silly tongue twisters', 'language', 150, 'en'),
    (84, 119, 'video', 'A day on the reef', 'oceans', 720, 'en'),
    (84, 119, 'video', 'Maps and compasses', 'world', 660, 'en'),
    (84, 119, 'audio', 'The island letters', 'stories', 1500, 'en'),
    (84, 119, 'audio', 'Questions about stars', 'space', 1200, 'en'),
    (84, 119, 'book', 'The secret garden club', 'feelings', 1800, 'en'),
    (84, 119, 'book', 'Numbers that hide', 'numbers', 1500, 'en'),
    (84, 119, 'game', 'Code the maze', 'coding', 900, 'en'),
    (84, 119, 'game', 'Word builders', 'language', 600, 'en'),
    (84, 119, 'activity', 'Make a paper bridge', 'science', 2400, 'en'),
    (84, 119, 'activity', 'Write a comic', 'art', 2700, 'en'),
    (84, 119, 'song', 'Canon for four', 'music', 200, 'en'),
    (84, 119, 'song', 'Rhythm machine', 'music', 190, 'en'),
    (120, 143, 'video', 'The brain, a tour', 'science', 900, 'en'),
    (120, 143, 'video', 'Rivers of the world', 'world', 900, 'en'),
    (120, 143, 'audio', 'Voyage of the Petrel', 'stories', 2400, 'en'),
    (120, 143, 'audio', 'Talking about worry', 'feelings', 1200, 'en'),
    (120, 143, 'book', 'Letters across the sea', 'stories', 3600, 'en'),
    (120, 143, 'book', 'Design a city', 'science', 3000, 'en'),
    (120, 143, 'game', 'Logic gates', 'coding', 1200, 'en'),
    (120, 143, 'game', 'Ecosystem builder', 'nature', 1200, 'en'),
    (120, 143, 'activity', 'Kitchen chemistry', 'science', 3600, 'en'),
    (120, 143, 'activity', 'Interview a neighbour', 'language', 3600, 'en'),
    (120, 143, 'song', 'Write your own verse', 'music', 240, 'en'),
    (120, 143, 'song', 'Body percussion', 'movement', 220, 'en'),
    (144, 227, 'video', 'How machines learn', 'coding', 1200, 'en'),
    (144, 227, 'video', 'Climate in numbers', 'nature', 1200, 'en'),
    (144, 227, 'audio', 'Essays for young ears', 'world', 2700, 'en'),
    (144, 227, 'audio', 'Sleep well', 'bedtime', 1800, 'en'),
    (144, 227, 'book', 'The lighthouse year', 'stories', 7200, 'en'),
    (144, 227, 'book', 'Statistics for the curious', 'numbers', 5400, 'en'),
    (144, 227, 'game', 'Build an app', 'coding', 2400, 'en'),
    (144, 227, 'game', 'Debate club', 'language', 1800, 'en'),
    (144, 227, 'activity', 'Film a short story', 'art', 5400, 'en'),
    (144, 227, 'activity', 'Volunteer for a day', 'feelings', 7200, 'en'),
    (144, 227, 'song', 'Chords and choruses', 'music', 260, 'en'),
    (144, 227, 'song', 'Songs of protest', 'world', 250, 'en'),
    (0, 23, 'song', 'Music box', 'music', 180, 'zxx'),
    (0, 35, 'audio', 'Sea at night', 'bedtime', 1800, 'zxx'),
    (24, 59, 'song', 'Drums and bells', 'music', 160, 'zxx'),
    (36, 83, 'video', 'Shapes without words', 'numbers', 300, 'zxx'),
    (84, 227, 'audio', 'Piano for homework', 'music', 2400, 'zxx'),
    (12, 35, 'song', 'Diez deditos', 'music', 120, 'es'),
    (36, 59, 'book', 'La luna y el gato', 'stories', 300, 'es'),
    (60, 119, 'audio', 'Cuentos del bosque', 'stories', 900, 'es'),
    (120, 227, 'video', 'El planeta azul', 'oceans', 900, 'es')
),

keyed AS (
    SELECT
        l.*,
        md5('wondernest/item/' || l.language || '/' || l.title)::uuid AS item_id
    FROM listed AS l
)

SELECT
    i.item_id,
    i.title,
    format('%s for %s to %s months: %s.', initcap(i.content_type), i.min_age_months, i.max_age_months, lower(c.name)),
    i.content_type,
    r.id,
    i.language,
    i.min_age_months,
    i.max_age_months,
    i.duration_seconds,
    'https://content.example.com/' || i.item_id,
    ARRAY[g.goal],
    'approved',
    CASE WHEN i.min_age_months >= 120 THEN 2 ELSE 1 END,
    0.6 + (('x' || left(replace(i.item_id::text, '-', ''), 4))::bit(16)::integer % 4000) / 10000.0,
    '2025-01-01 00:00:00+00'
FROM keyed AS i
INNER JOIN content.categories AS c ON c.slug = i.category_slug
INNER JOIN content.creators AS r
    ON r.name = CASE
        WHEN i.content_type IN ('book', 'audio') THEN 'Open Stories Collective'
        WHEN i.content_type = 'activity' THEN 'Small Steps Publishing'
        ELSE 'WonderNest Studio'
    END
INNER JOIN goals AS g ON g.category_slug = i.category_slug
ON CONFLICT DO NOTHING;

-- An item may have been taken out on purpose since: what refers to it is only
-- added where it is still there.
INSERT INTO content.item_categories (item_id, category_id, is_primary)
SELECT
    i.id AS item_id,
    c.id AS category_id,
    true AS is_primary
FROM (
    VALUES
    ('en/Slow clouds', 'nature'),
    ('en/Black, white, red', 'art'),
    ('en/Heartbeat and rain', 'bedtime'),
    ('en/Voices of the house', 'language'),
    ('en/Hello, face', 'feelings'),
    ('en/Soft and rough', 'nature'),
    ('en/Where is my hand', 'movement'),
    ('en/Tap the light', 'art'),
    ('en/Tummy time on a blanket', 'movement'),
    ('en/Peekaboo', 'feelings'),
    ('en/Hush, little boat', 'music'),
    ('en/Ten small toes', 'music'),
    ('en/Farm in the morning', 'animals'),
    ('en/Bubbles', 'science'),
    ('en/What says moo', 'animals'),
    ('en/Good night, garden', 'bedtime'),
    ('en/My first words', 'language'),
    ('en/Big dog, small dog', 'animals'),
    ('en/Stack and fall', 'numbers'),
    ('en/Find the duck', 'animals'),
    ('en/Pots and spoons band', 'music'),
    ('en/Puddle walk', 'nature'),
    ('en/Clap, stamp, turn', 'movement'),
    ('en/The bus of bears', 'vehicles'),
    ('en/The little digger', 'vehicles'),
    ('en/Colours in the kitchen', 'art'),
    ('en/The mitten', 'stories'),
    ('en/Rain on the roof', 'bedtime'),
    ('en/I can do it', 'feelings'),
    ('en/One duck, two ducks', 'numbers'),
    ('en/Shape post', 'numbers'),
    ('en/Animal shadows', 'animals'),
    ('en/Paint with water', 'art'),
    ('en/Hide the teddy', 'language'),
    ('en/Head to toe', 'movement'),
    ('en/Wheels and whistles', 'vehicles'),
    ('en/Why snails are slow', 'animals'),
    ('en/Letters in the park', 'language'),
    ('en/The fox and the moon', 'stories'),
    ('en/Sleepy forest', 'bedtime'),
    ('en/The brave umbrella', 'feelings'),
    ('en/Bridge builders', 'science'),
    ('en/Count the kites', 'numbers'),
    ('en/Rhyme time', 'language'),
    ('en/Leaf rubbing', 'art'),
    ('en/Obstacle course', 'movement'),
    ('en/Seven days', 'numbers'),
    ('en/Whale song', 'oceans'),
    ('en/Inside a volcano', 'science'),
    ('en/How bread is made', 'world'),
    ('en/The clockmaker', 'stories'),
    ('en/Star stories', 'space'),
    ('en/Reading with Pip', 'language'),
    ('en/Bones and fossils', 'dinosaurs'),
    ('en/Market day sums', 'numbers'),
    ('en/Robot steps', 'coding'),
    ('en/Grow a bean', 'nature'),
    ('en/Shadow theatre', 'stories'),
    ('en/Round the world in a song', 'world'),
    ('en/Silly tongue twisters', 'language'),
    ('en/A day on the reef', 'oceans'),
    ('en/Maps and compasses', 'world'),
    ('en/The island letters', 'stories'),
    ('en/Questions about stars', 'space'),
    ('en/The secret garden club', 'feelings'),
    ('en/Numbers that hide', 'numbers'),
    ('en/Code the maze', 'coding'),
    ('en/Word builders', 'language'),
    ('en/Make a paper bridge', 'science'),
    ('en/Write a comic', 'art'),
    ('en/Canon for four', 'music'),
    ('en/Rhythm machine', 'music'),
    ('en/The brain, a tour', 'science'),
    ('en/Rivers of the world', 'world'),
    ('en/Voyage of the Petrel', 'stories'),
    ('en/Talking about worry', 'feelings'),
    ('en/Letters across the sea', 'stories'),
    ('en/Design a city', 'science'),
    ('en/Logic gates', 'coding'),
    ('en/Ecosystem builder', 'nature'),
    ('en/Kitchen chemistry', 'science'),
    ('en/Interview a neighbour', 'language'),
    ('en/Write your own verse', 'music'),
    ('en/Body percussion', 'movement'),
    ('en/How machines learn', 'coding'),
    ('en/Climate in numbers', 'nature'),
    ('en/Essays for young ears', 'world'),
    ('en/Sleep well', 'bedtime'),
    ('en/The lighthouse year', 'stories'),
    ('en/Statistics for the curious', 'numbers'),
    ('en/Build an app', 'coding'),
    ('en/Debate club', 'language'),
    ('en/Film a short story', 'art'),
    ('en/Volunteer for a day', 'feelings'),
    ('en/Chords and choruses', 'music'),
    ('en/Songs of protest', 'world'),
    ('zxx/Music box', 'music'),
    ('zxx/Sea at night', 'bedtime'),
    ('zxx/Drums and bells', 'music'),
    ('zxx/Shapes without words', 'numbers'),
    ('zxx/Piano for homework', 'music'),
    ('es/Diez deditos', 'music'),
    ('es/La luna y el gato', 'stories'),
    ('es/Cuentos del bosque', 'stories'),
    ('es/El planeta azul', 'oceans')
) AS x (item_key, category_slug)
INNER JOIN content.items AS i ON i.id = md5('wondernest/item/' || x.item_key)::uuid
INNER JOIN content.categories AS c ON c.slug = x.category_slug
ON CONFLICT DO NOTHING;

INSERT INTO safety.content_ratings (id, item_id, scheme, rating, min_age_months, rated_at)
SELECT
    md5('wondernest/rating/' || i.id)::uuid AS rating_id,
    i.id AS item_id,
    'wondernest',
    CASE
        WHEN i.min_age_months < 36 THEN 'first years'
        WHEN i.min_age_months < 84 THEN 'kindergarten'
        WHEN i.min_age_months < 144 THEN 'school'
        ELSE 'teens'
    END,
    i.min_age_months,
    '2025-01-01 00:00:00+00'
FROM content.items AS i
WHERE i.source_url = 'https://content.example.com/' || i.id
ON CONFLICT DO NOTHING;

INSERT INTO content.collections (id, name, description, is_published)
SELECT
    md5('wondernest/collection/' || x.name)::uuid,
    x.name,
    x.description,
    true
FROM (
    VALUES
    ('Quiet evenings', 'Things to wind down with.'),
    ('Rainy days', 'Making and moving indoors.')
) AS x (name, description)
ON CONFLICT DO NOTHING;

INSERT INTO content.collection_items (collection_id, item_id, position, added_at)
SELECT
    l.id AS collection_id,
    i.id AS item_id,
    row_number() OVER (PARTITION BY l.id ORDER BY i.min_age_months, i.title),
    '2025-01-01 00:00:00+00'
FROM (
    VALUES
    ('Quiet evenings', 'bedtime'),
    ('Rainy days', 'art'),
    ('Rainy days', 'movement')
) AS x (collection_name, category_slug)
INNER JOIN content.collections AS l ON l.id = md5('wondernest/collection/' || x.collection_name)::uuid
INNER JOIN content.categories AS c ON c.slug = x.category_slug
INNER JOIN content.item_categories AS k ON k.category_id = c.id
INNER JOIN content.items AS i ON i.id = k.item_id AND i.source_url = 'https://content.example.com/' || i.id
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Milestones
-- ---------------------------------------------------------------------------

INSERT INTO analytics.milestones (id, code, domain, title, typical_min_months, typical_max_months)
SELECT
    md5('wondernest/milestone/' || m.code)::uuid,
    m.code,
    m.domain,
    m.title,
    m.typical_min_months,
    m.typical_max_months
FROM (
    VALUES
    ('motor.lifts_head', 'motor', 'Lifts the head lying on the tummy', 1, 4),
    ('motor.rolls_over', 'motor', 'Rolls over', 3, 7),
    ('motor.sits_alone', 'motor', 'Sits without help', 5, 9),
    ('motor.crawls', 'motor', 'Crawls or shuffles', 6, 12),
    ('motor.first_steps', 'motor', 'Takes first steps', 9, 18),
    ('motor.runs', 'motor', 'Runs', 16, 27),
    ('motor.jumps', 'motor', 'Jumps with both feet', 22, 36),
    ('motor.tricycle', 'motor', 'Rides a tricycle or balance bike', 30, 48),
    ('motor.hops', 'motor', 'Hops on one foot', 42, 66),
    ('motor.ties_laces', 'motor', 'Ties shoelaces', 60, 96),
    ('motor.swims', 'motor', 'Swims a length', 60, 132),
    ('motor.fluent_handwriting', 'motor', 'Writes fluently by hand', 84, 120),
    ('language.coos', 'language', 'Coos and gurgles', 1, 4),
    ('language.babbles', 'language', 'Babbles in syllables', 5, 10),
    ('language.first_word', 'language', 'Says a first word with meaning', 9, 16),
    ('language.ten_words', 'language', 'Says about ten words', 13, 20),
    ('language.two_word_phrases', 'language', 'Joins two words', 17, 27),
    ('language.asks_why', 'language', 'Asks why', 28, 48),
    ('language.tells_story', 'language', 'Tells a short story', 36, 60),
    ('language.letters', 'language', 'Knows most letters', 48, 78),
    ('language.reads_sentences', 'language', 'Reads simple sentences', 60, 90),
    ('language.reads_chapters', 'language', 'Reads chapter books alone', 84, 120),
    ('language.argues_case', 'language', 'Argues a case with reasons', 108, 168),
    ('language.writes_essay', 'language', 'Writes a text of a page with a clear line', 120, 180),
    ('social.smiles_back', 'social', 'Smiles back', 1, 3),
    ('social.stranger_shy', 'social', 'Is shy with strangers', 6, 12),
    ('social.waves', 'social', 'Waves good-bye', 8, 14),
    ('social.parallel_play', 'social', 'Plays beside other children', 15, 30),
    ('social.takes_turns', 'social', 'Takes turns with help', 28, 48),
    ('social.pretend_roles', 'social', 'Plays roles with others', 36, 60),
    ('social.follows_rules', 'social', 'Follows the rules of a game', 54, 84),
    ('social.best_friend', 'social', 'Keeps a close friendship', 72, 120),
    ('social.resolves_conflict', 'social', 'Settles a quarrel by talking', 84, 144),
    ('social.plans_with_others', 'social', 'Plans a project with others', 120, 192),
    ('cognitive.follows_object', 'cognitive', 'Follows a thing with the eyes', 1, 4),
    ('cognitive.finds_hidden', 'cognitive', 'Looks for a hidden thing', 7, 12),
    ('cognitive.simple_puzzle', 'cognitive', 'Solves a puzzle of three pieces', 18, 32),
    ('cognitive.names_colours', 'cognitive', 'Names four colours', 30, 50),
    ('cognitive.counts_ten', 'cognitive', 'Counts ten things', 40, 62),
    ('cognitive.tells_time', 'cognitive', 'Tells the time', 66, 102),
    ('cognitive.multiplies', 'cognitive', 'Multiplies small numbers', 84, 114),
    ('cognitive.plans_ahead', 'cognitive', 'Plans several steps ahead', 96, 150),
    ('cognitive.abstract_reasoning', 'cognitive', 'Reasons about what might be', 132, 192)
) AS m (code, domain, title, typical_min_months, typical_max_months)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Models
-- ---------------------------------------------------------------------------

INSERT INTO ml.models (id, name, purpose, description)
SELECT
    md5('wondernest/model/' || m.name)::uuid,
    m.name,
    m.purpose,
    m.description
FROM (
    VALUES
    ('content-ranker', 'recommendation', 'Orders items for a child by age, language and interests.'),
    ('speech-counter', 'speech_metrics', 'Counts words and turns on the device; nothing of the sound leaves it.'),
    ('insight-writer', 'insight', 'Chooses remarks for parents from a catalogue.')
) AS m (name, purpose, description)
ON CONFLICT DO NOTHING;

INSERT INTO ml.model_versions (id, model_id, version, status, trained_at, deployed_at)
SELECT
    md5('wondernest/model/' || m.name || '/1.0')::uuid,
    m.id,
    '1.0',
    'live',
    '2024-11-01 00:00:00+00',
    '2025-01-01 00:00:00+00'
FROM ml.models AS m
WHERE m.name IN ('content-ranker', 'speech-counter', 'insight-writer')
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------
-- Sample families
-- ---------------------------------------------------------------------------

DO $samples$
DECLARE
    v_guardian record;
    v_context CONSTANT text := coalesce(current_setting('app.current_user_id', true), '');
BEGIN
    IF lower(coalesce(current_setting('app.seed_samples', true), '')) IN ('off', 'false', 'no', '0') THEN
        RETURN;
    END IF;

    -- '!' is no hash of any password: nobody can sign in.
    INSERT INTO core.users (
        id, email, email_verified_at, password_hash, first_name, last_name, timezone, locale, is_sample, created_at
    )
    SELECT
        md5('wondernest/sample/user/' || u.code)::uuid,
        format('sample.parent.%s@example.com', u.code),
        '2025-01-15 09:00:00+00',
        '!',
        'Sample',
        u.last_name,
        u.timezone,
        u.locale,
        true,
        '2025-01-15 09:00:00+00'
    FROM (
        VALUES
        ('one', 'Parent One', 'America/New_York', 'en'),
        ('two', 'Parent Two', 'America/New_York', 'en'),
        ('three', 'Parent Three', 'Europe/Madrid', 'es'),
        ('four', 'Parent Four', 'UTC', 'en')
    ) AS u (code, last_name, timezone, locale)
    ON CONFLICT DO NOTHING;

    INSERT INTO core.user_preferences (user_id, created_at)
    SELECT
        u.id,
        u.created_at
    FROM core.users AS u
    WHERE u.id = ANY (
        SELECT md5('wondernest/sample/user/' || x.code)::uuid
        FROM unnest(ARRAY['one', 'two', 'three', 'four']) AS x (code)
    )
    ON CONFLICT DO NOTHING;

    INSERT INTO family.families (id, name, created_by, timezone, is_sample, created_at)
    SELECT
        md5('wondernest/sample/family/' || f.code)::uuid,
        f.name,
        u.id,
        u.timezone,
        true,
        '2025-01-15 09:05:00+00'
    FROM (
        VALUES
        ('maple', 'Sample Family Maple', 'one'),
        ('olive', 'Sample Family Olive', 'three'),
        ('birch', 'Sample Family Birch', 'four')
    ) AS f (code, name, founder)
    INNER JOIN core.users AS u ON u.id = md5('wondernest/sample/user/' || f.founder)::uuid
    ON CONFLICT DO NOTHING;

    -- Two guardians in the first family; the founder of the last may look at the second.
    INSERT INTO family.family_members (family_id, user_id, role, can_consent, joined_at)
    SELECT
        f.id,
        u.id,
        m.role,
        m.role = 'guardian',
        '2025-01-15 09:05:00+00'
    FROM (
        VALUES
        ('maple', 'one', 'guardian'),
        ('maple', 'two', 'guardian'),
        ('olive', 'three', 'guardian'),
        ('olive', 'four', 'viewer'),
        ('birch', 'four', 'guardian')
    ) AS m (family_code, user_code, role)
    INNER JOIN family.families AS f ON f.id = md5('wondernest/sample/family/' || m.family_code)::uuid
    INNER JOIN core.users AS u ON u.id = md5('wondernest/sample/user/' || m.user_code)::uuid
    ON CONFLICT DO NOTHING;

    -- Children grow up and clocks may be wrong: who is not a child today is left out.
    INSERT INTO family.child_profiles (
        id, family_id, first_name, birth_date, gender, primary_language, interests, is_sample, created_at
    )
    SELECT
        md5('wondernest/sample/child/' || c.first_name)::uuid,
        f.id,
        c.first_name,
        c.birth_date::date,
        c.gender,
        c.primary_language,
        c.interests::text[],
        true,
        '2025-07-01 10:00:00+00'
    FROM (
        VALUES
        ('maple', 'Child One', '2025-06-10', 'female', 'en', '{animals,music}'),
        ('maple', 'Child Two', '2022-03-15', 'male', 'en', '{vehicles,numbers}'),
        ('maple', 'Child Three', '2018-09-01', NULL, 'en', '{space,coding}'),
        ('olive', 'Child Four', '2023-11-20', 'female', 'es', '{stories,oceans}'),
        ('olive', 'Child Five', '2020-02-29', 'male', 'es', '{dinosaurs}'),
        ('birch', 'Child Six', '2024-08-05', 'undisclosed', 'en', '{music}'),
        ('birch', 'Child Seven', '2015-12-12', 'other', 'en', '{art,science}'),
        ('birch', 'Child Eight', '2012-05-30', 'female', 'en', '{world,coding}')
    ) AS c (family_code, first_name, birth_date, gender, primary_language, interests)
    INNER JOIN family.families AS f ON f.id = md5('wondernest/sample/family/' || c.family_code)::uuid
    WHERE c.birth_date::date BETWEEN current_date - INTERVAL '17 years 11 months' AND current_date
    ON CONFLICT DO NOTHING;

    -- Each founder consented; the second guardian of the first family too, by a
    -- verifiable method. One child's speech is not analysed, one consent was
    -- withdrawn. Consents are given in one's own name, hence the context.
    FOR v_guardian IN
        SELECT
            u.id,
            md5('wondernest/sample/family/' || g.family_code)::uuid AS family_id,
            g.user_code,
            g.method
        FROM (
            VALUES
            ('maple', 'one', 'self_declared'),
            ('maple', 'two', 'credit_card'),
            ('olive', 'three', 'email_plus'),
            ('birch', 'four', 'signed_form')
        ) AS g (family_code, user_code, method)
        INNER JOIN core.users AS u ON u.id = md5('wondernest/sample/user/' || g.user_code)::uuid
    LOOP
        PERFORM set_config('app.current_user_id', v_guardian.id::text, true);
        INSERT INTO family.guardian_consents (
            id, child_id, guardian_user_id, consent_type, method, policy_version, granted_at, withdrawn_at,
            withdrawn_by, withdrawal_reason
        )
        SELECT
            md5('wondernest/sample/consent/' || c.first_name || '/' || v_guardian.user_code || '/' || t.consent_type)::uuid,
            c.id,
            v_guardian.id,
            t.consent_type,
            v_guardian.method,
            '2025-01',
            '2025-07-01 10:00:00+00',
            CASE WHEN w.is_withdrawn THEN '2025-09-01 10:00:00+00'::timestamptz END,
            CASE WHEN w.is_withdrawn THEN v_guardian.id END,
            CASE WHEN w.is_withdrawn THEN 'guardian_request' END
        FROM family.child_profiles AS c
        CROSS JOIN unnest(ARRAY['data_collection', 'audio_analysis', 'personalization']) AS t (consent_type)
        CROSS JOIN LATERAL (
            SELECT c.first_name = 'Child Eight' AND t.consent_type = 'personalization' AS is_withdrawn
        ) AS w
        WHERE c.family_id = v_guardian.family_id
            AND c.first_name LIKE 'Child %'
            AND NOT (c.first_name = 'Child Seven' AND t.consent_type = 'audio_analysis')
        ON CONFLICT DO NOTHING;
    END LOOP;
    PERFORM set_config('app.current_user_id', v_context, true);

    INSERT INTO safety.parental_controls (
        child_id, daily_screen_minutes, bedtime_start, bedtime_end, max_safety_level, audio_monitoring_enabled, created_at
    )
    SELECT
        c.id,
        CASE WHEN c.birth_date > '2023-01-01' THEN 20 ELSE 60 END,
        '19:30',
        '06:30',
        CASE WHEN c.birth_date > '2014-01-01' THEN 1 ELSE 3 END,
        c.first_name <> 'Child Seven',
        '2025-07-01 10:00:00+00'
    FROM family.child_profiles AS c
    WHERE c.family_id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
    ON CONFLICT DO NOTHING;

    INSERT INTO subscription.subscriptions (
        id, family_id, plan_id, payer_user_id, status, current_period_start, created_at
    )
    SELECT
        md5('wondernest/sample/subscription/' || s.family_code)::uuid,
        f.id,
        p.id,
        f.created_by,
        'active',
        '2025-01-15 09:10:00+00',
        '2025-01-15 09:10:00+00'
    FROM (
        VALUES
        ('maple', 'family_yearly'),
        ('olive', 'plus_monthly'),
        ('birch', 'free')
    ) AS s (family_code, plan_code)
    INNER JOIN family.families AS f ON f.id = md5('wondernest/sample/family/' || s.family_code)::uuid
    INNER JOIN subscription.plans AS p ON p.code = s.plan_code
    ON CONFLICT DO NOTHING;

    INSERT INTO analytics.child_milestones (child_id, milestone_id, achieved_on, recorded_by, created_at)
    SELECT
        c.id,
        m.id,
        (c.birth_date + make_interval(months => (m.typical_min_months + m.typical_max_months) / 2))::date,
        f.created_by,
        '2025-08-01 10:00:00+00'
    FROM family.child_profiles AS c
    INNER JOIN family.families AS f ON f.id = c.family_id
    CROSS JOIN analytics.milestones AS m
    WHERE f.id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
        AND m.id = md5('wondernest/milestone/' || m.code)::uuid
        AND c.birth_date + make_interval(months => m.typical_max_months) < '2025-08-01'
    ON CONFLICT DO NOTHING;

    -- A month of days: sums as they would have come from sessions long archived.
    INSERT INTO analytics.daily_child_metrics (
        child_id, metric_date, age_months, screen_seconds, items_started, items_completed, distinct_items,
        interaction_count, audio_sessions, audio_seconds, adult_word_count, child_vocalization_count,
        conversational_turns, media_seconds, mean_quality_score, calculated_at
    )
    SELECT
        c.id,
        d.day::date,
        content.age_in_months(c.birth_date, d.day::date),
        600 + 60 * (d.place % 7),
        4 + d.place % 3,
        3,
        4,
        20 + d.place,
        n.sessions,
        n.sessions * 1800,
        n.sessions * (900 + 15 * d.place),
        n.sessions * (120 + 4 * d.place),
        n.sessions * (40 + 2 * d.place),
        n.sessions * 200,
        CASE WHEN n.sessions > 0 THEN 0.85 END,
        '2025-10-01 03:00:00+00'
    FROM family.child_profiles AS c
    CROSS JOIN generate_series('2025-09-01'::timestamp, '2025-09-30'::timestamp, INTERVAL '1 day')
        WITH ORDINALITY AS d (day, place)
    CROSS JOIN LATERAL (SELECT CASE WHEN c.first_name = 'Child Seven' THEN 0 ELSE 1 END AS sessions) AS n
    WHERE c.family_id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
    ON CONFLICT DO NOTHING;

    INSERT INTO audio.session_archive (
        session_id, child_id, started_at, ended_at, location, status, quality_score, measured_seconds,
        adult_word_count, child_vocalization_count, conversational_turns, media_seconds, archived_at
    )
    SELECT
        md5(format('wondernest/sample/session/%s/%s', c.first_name, m.metric_date))::uuid,
        c.id,
        m.metric_date + TIME '10:00' AT TIME ZONE 'UTC',
        m.metric_date + TIME '10:30' AT TIME ZONE 'UTC',
        'home',
        'completed',
        m.mean_quality_score,
        m.audio_seconds,
        m.adult_word_count,
        m.child_vocalization_count,
        m.conversational_turns,
        m.media_seconds,
        '2026-01-01 03:00:00+00'
    FROM family.child_profiles AS c
    INNER JOIN analytics.daily_child_metrics AS m ON m.child_id = c.id
    WHERE c.family_id IN (
        SELECT md5('wondernest/sample/family/' || x.code)::uuid
        FROM unnest(ARRAY['maple', 'olive', 'birch']) AS x (code)
    )
        AND c.first_name LIKE 'Child %'
        AND m.metric_date BETWEEN '2025-09-01' AND '2025-09-30'
        AND m.audio_sessions = 1
    ON CONFLICT DO NOTHING;

    INSERT INTO analytics.insights (
        id, child_id, insight_type, title, details, confidence, period_start, period_end, created_at
    )
    SELECT
        md5('wondernest/sample/insight/' || c.first_name)::uuid,
        c.id,
        'speech',
        'More conversation than the month before',
        '{"conversational_turns_change_percent": 18}',
        0.8,
        '2025-09-01',
        '2025-09-30',
        -- Insights go after a year: with a fixed date they would be overdue from the first day on.
        now()
    FROM family.child_profiles AS c
    WHERE c.id IN (
        SELECT md5('wondernest/sample/child/' || x.first_name)::uuid
        FROM unnest(ARRAY['Child One', 'Child Two', 'Child Four']) AS x (first_name)
    )
    ON CONFLICT DO NOTHING;
END
$samples$;

-- ===========================================================================
-- 07_security_setup.sql
-- ===========================================================================

-- 07_security_setup.sql: roles, ownership, privileges and row-level security.
-- Run after 06_seed_data.sql, as a superuser. Safe to run again. PostgreSQL 15 to 19.
--
-- Roles belong to the whole cluster: two WonderNest databases on one server
-- share them. What is missing is created; a role that exists is never altered,
-- as that could enable again what somebody revoked. Nobody gets a password here.
--
-- Each block compares the catalog with what it wants and changes the difference
-- only, so that running the file again takes no lock and writes nothing.

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
-- Roles
-- ---------------------------------------------------------------------------

-- Only a superuser of PostgreSQL 15 may create roles with BYPASSRLS or
-- REPLICATION; from 16 on a role that holds these attributes may pass them on.
DO $need$
DECLARE
    v_missing text;
BEGIN
    SELECT string_agg(x.attribute, ', ')
    INTO v_missing
    FROM pg_catalog.pg_roles AS r
    CROSS JOIN LATERAL (
        VALUES
        ('CREATEROLE', r.rolcreaterole),
        ('REPLICATION', r.rolreplication),
        ('BYPASSRLS', r.rolbypassrls)
    ) AS x (attribute, is_held)
    WHERE r.rolname = current_user
        AND NOT r.rolsuper
        AND NOT x.is_held;
    IF current_setting('server_version_num')::int < 160000
        AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
    THEN
        RAISE EXCEPTION 'file 07 needs a superuser on PostgreSQL 15, % is none', current_user
            USING ERRCODE = '42501';
    ELSIF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'file 07 creates roles and needs what % lacks: %', current_user, v_missing
            USING ERRCODE = '42501';
    END IF;
END
$need$;

DO $roles$
DECLARE
    v_role record;
    v_limit record;
    v_member record;
    v_created text[] := '{}';
BEGIN
    FOR v_role IN
        SELECT x.role_name, x.options, x.remark
        FROM (
            VALUES
            ('wondernest_owner', 'NOLOGIN', 'Owns schemas, tables and the migration history of WonderNest.'),
            ('wondernest_definer', 'NOLOGIN BYPASSRLS', 'Owns the SECURITY DEFINER functions and the materialized views of WonderNest.'),
            ('wondernest_audit_owner', 'NOLOGIN', 'Owns the operator ledger of WonderNest.'),
            ('wondernest_rw', 'NOLOGIN', 'Group: what the WonderNest application may write.'),
            ('wondernest_ro', 'NOLOGIN', 'Group: what the WonderNest application may read.'),
            ('wondernest_worker', 'NOLOGIN', 'Group: batch jobs of WonderNest.'),
            ('wondernest_operator', 'NOLOGIN', 'Group of people: operate WonderNest (signal, maintain, write the ledger).'),
            ('wondernest_compliance', 'NOLOGIN', 'Group of people: handle data-subject requests of WonderNest.'),
            ('wondernest_approver', 'NOLOGIN', 'Group of people: approve plans of WonderNest, and nothing else.'),
            ('wondernest_app', 'LOGIN CONNECTION LIMIT 50', 'The WonderNest application.'),
            ('wondernest_analytics', 'LOGIN CONNECTION LIMIT 10', 'Business intelligence of WonderNest, without names or addresses.'),
            ('wondernest_migration', 'LOGIN CONNECTION LIMIT 5', 'Migrations of WonderNest; works as wondernest_owner.'),
            ('wondernest_backup', 'LOGIN REPLICATION BYPASSRLS CONNECTION LIMIT 3', 'Backups of WonderNest.'),
            ('wondernest_monitor', 'LOGIN CONNECTION LIMIT 5', 'Monitoring of WonderNest: system statistics and totals.')
        ) AS x (role_name, options, remark)
        WHERE to_regrole(x.role_name) IS NULL
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I %s', v_role.role_name, v_role.options);
            EXECUTE format('COMMENT ON ROLE %I IS %L', v_role.role_name, v_role.remark);
            v_created := v_created || v_role.role_name;
        EXCEPTION
            -- The setup of another database of this cluster was faster.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;

    -- What migrations make belongs to wondernest_owner from the start.
    IF 'wondernest_migration' = ANY (v_created) THEN
        ALTER ROLE wondernest_migration SET role = 'wondernest_owner';
    END IF;

    -- No login works, or sits in a transaction, for ever. wondernest_backup does: a dump takes as long as it takes.
    FOR v_limit IN
        SELECT x.role_name, x.setting, x.value
        FROM (
            VALUES
            ('wondernest_app', 'statement_timeout', '30s'),
            ('wondernest_app', 'idle_in_transaction_session_timeout', '60s'),
            ('wondernest_analytics', 'statement_timeout', '15min'),
            ('wondernest_analytics', 'idle_in_transaction_session_timeout', '5min'),
            ('wondernest_migration', 'lock_timeout', '30s'),
            ('wondernest_migration', 'idle_in_transaction_session_timeout', '5min'),
            ('wondernest_monitor', 'statement_timeout', '60s'),
            ('wondernest_monitor', 'idle_in_transaction_session_timeout', '60s')
        ) AS x (role_name, setting, value)
        WHERE x.role_name = ANY (v_created)
    LOOP
        EXECUTE format('ALTER ROLE %I SET %I = %L', v_limit.role_name, v_limit.setting, v_limit.value);
    END LOOP;

    -- A membership comes with the creation of one of its two roles and not later:
    -- taking wondernest_rw from the application is how writing is stopped.
    FOR v_member IN
        SELECT x.group_name, x.member_name
        FROM (
            VALUES
            ('wondernest_rw', 'wondernest_app'),
            ('wondernest_ro', 'wondernest_app'),
            ('wondernest_owner', 'wondernest_migration'),
            ('pg_read_all_data', 'wondernest_backup'),
            ('pg_monitor', 'wondernest_monitor'),
            ('pg_monitor', 'wondernest_operator'),
            ('pg_signal_backend', 'wondernest_operator'),
            ('pg_maintain', 'wondernest_operator'),                 -- PostgreSQL 17
            ('pg_signal_autovacuum_worker', 'wondernest_operator')  -- PostgreSQL 18
        ) AS x (group_name, member_name)
        WHERE to_regrole(x.group_name) IS NOT NULL
            AND (x.group_name = ANY (v_created) OR x.member_name = ANY (v_created))
    LOOP
        EXECUTE format('GRANT %I TO %I', v_member.group_name, v_member.member_name);
    END LOOP;

    -- Without superuser, giving an object to a role takes membership of that role.
    IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user) THEN
        FOR v_member IN
            SELECT r.rolname
            FROM pg_catalog.pg_roles AS r
            WHERE r.rolname IN ('wondernest_owner', 'wondernest_definer', 'wondernest_audit_owner')
                AND NOT pg_has_role(current_user, r.oid, 'USAGE')
        LOOP
            EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET TRUE', v_member.rolname, current_user);
        END LOOP;
    END IF;
END
$roles$;

-- ---------------------------------------------------------------------------
-- Ownership
-- ---------------------------------------------------------------------------

DO $owners$
DECLARE
    v_item record;
    v_lent boolean := false;
    v_schemas CONSTANT oid[] := ARRAY(
        SELECT n.oid
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = ANY ('{extensions, core, family, content, audio, subscription, analytics, safety, ml, audit, admin}'::text[])
    );
BEGIN
    FOR v_item IN
        WITH of_extension AS (
            SELECT d.classid, d.objid
            FROM pg_catalog.pg_depend AS d
            WHERE d.deptype = 'e'
        ),

        wanted AS (
            SELECT
                'SCHEMA' AS kind,
                quote_ident(n.nspname) AS identity,
                n.nspowner AS owner,
                'wondernest_owner' AS new_owner
            FROM pg_catalog.pg_namespace AS n
            WHERE n.oid = ANY (v_schemas)
            UNION ALL
            SELECT
                CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                c.oid::regclass::text,
                c.relowner,
                CASE
                    WHEN c.oid IN (to_regclass('audit.operator_ledger'), to_regclass('audit.ledger_checkpoints'))
                        THEN 'wondernest_audit_owner'
                    -- Its REFRESH runs as the owner, who has to see all rows.
                    WHEN c.relkind = 'm' THEN 'wondernest_definer'
                    ELSE 'wondernest_owner'
                END
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = ANY (v_schemas)
                AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
                AND NOT EXISTS (
                    SELECT 1
                    FROM of_extension AS e
                    WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid
                )
            UNION ALL
            SELECT
                'ROUTINE',
                p.oid::regprocedure::text,
                p.proowner,
                CASE
                    -- Who owns what guards the ledger could make it look away.
                    WHEN p.pronamespace = 'audit'::regnamespace AND (p.proname LIKE 'ledger\_%' OR EXISTS (
                        SELECT 1
                        FROM pg_catalog.pg_trigger AS t
                        WHERE t.tgfoid = p.oid
                            AND t.tgrelid IN (to_regclass('audit.operator_ledger'), to_regclass('audit.ledger_checkpoints'))
                    )) THEN 'wondernest_audit_owner'
                    WHEN p.prosecdef THEN 'wondernest_definer'
                    ELSE 'wondernest_owner'
                END
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = ANY (v_schemas)
                AND NOT EXISTS (
                    SELECT 1
                    FROM of_extension AS e
                    WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid
                )
            UNION ALL
            SELECT
                CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
                t.oid::regtype::text,
                t.typowner,
                'wondernest_owner'
            FROM pg_catalog.pg_type AS t
            WHERE t.typnamespace = ANY (v_schemas)
                AND t.typtype IN ('d', 'e')
                AND NOT EXISTS (
                    SELECT 1
                    FROM of_extension AS e
                    WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = t.oid
                )
        )

        SELECT w.kind, w.identity, w.new_owner
        FROM wanted AS w
        INNER JOIN pg_catalog.pg_roles AS r ON r.rolname = w.new_owner
        WHERE w.owner <> r.oid
        ORDER BY w.kind <> 'SCHEMA', w.kind, w.identity
    LOOP
        -- Unless a superuser gives it away, the new owner must be allowed to create in the schema.
        IF v_item.kind <> 'SCHEMA' AND NOT v_lent
            AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
        THEN
            GRANT CREATE ON SCHEMA core, family, content, audio, subscription, analytics, safety, ml, audit, admin
            TO wondernest_definer, wondernest_audit_owner;
            v_lent := true;
        END IF;
        EXECUTE format('ALTER %s %s OWNER TO %I', v_item.kind, v_item.identity, v_item.new_owner);
    END LOOP;
    IF v_lent THEN
        REVOKE CREATE ON SCHEMA core, family, content, audio, subscription, analytics, safety, ml, audit, admin
        FROM wondernest_definer, wondernest_audit_owner;
    END IF;
END
$owners$;

-- The history of migrations, where setup or Flyway has made it already. Flyway
-- may be reading it in a second connection while it runs this file, hence the
-- short wait, and a warning instead of an error.
DO $history$
BEGIN
    IF to_regclass('public.flyway_schema_history') IS NOT NULL AND (
        SELECT c.relowner <> 'wondernest_owner'::regrole
        FROM pg_catalog.pg_class AS c
        WHERE c.oid = to_regclass('public.flyway_schema_history')
    ) THEN
        PERFORM set_config('lock_timeout', '1s', true);
        -- Whoever is no superuser may only give to an owner who may create here.
        IF
            NOT has_schema_privilege('wondernest_owner', 'public', 'CREATE')
            AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
        THEN
            GRANT CREATE ON SCHEMA public TO wondernest_owner;
            ALTER TABLE public.flyway_schema_history OWNER TO wondernest_owner;
            REVOKE CREATE ON SCHEMA public FROM wondernest_owner;
        ELSE
            ALTER TABLE public.flyway_schema_history OWNER TO wondernest_owner;
        END IF;
    END IF;
EXCEPTION
    WHEN lock_not_available THEN
        RAISE WARNING 'public.flyway_schema_history is in use and keeps its owner'
            USING HINT = 'Later: ALTER TABLE public.flyway_schema_history OWNER TO wondernest_owner.';
END
$history$;
SET lock_timeout = '30s';

-- ---------------------------------------------------------------------------
-- What PostgreSQL gives to everybody is taken away
-- ---------------------------------------------------------------------------

DO $public$
DECLARE
    v_item record;
BEGIN
    FOR v_item IN
        SELECT format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', n.nspname) AS statement
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = ANY ('{extensions, core, family, content, audio, subscription, analytics, safety, ml, audit, admin}'::text[])
            AND EXISTS (SELECT 1 FROM aclexplode(n.nspacl) AS a WHERE a.grantee = 0)
        UNION ALL
        -- A database that was upgraded from 14 or older still has this one.
        SELECT 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = 'public'
            AND EXISTS (
                SELECT 1
                FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
                WHERE a.grantee = 0 AND a.privilege_type = 'CREATE'
            )
        UNION ALL
        SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', d.datname)
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = current_database()
            AND EXISTS (
                SELECT 1
                FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
                WHERE a.grantee = 0
            )
        UNION ALL
        SELECT format('REVOKE ALL ON TABLE %s FROM PUBLIC', c.oid::regclass)
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY ('{core, family, content, audio, subscription, analytics, safety, ml, audit, admin}'::text[])
            AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
            AND EXISTS (SELECT 1 FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0)
        UNION ALL
        SELECT format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', p.oid::regprocedure)
        FROM pg_catalog.pg_proc AS p
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY ('{core, family, content, audio, subscription, analytics, safety, ml, audit, admin}'::text[])
            AND EXISTS (
                SELECT 1
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                WHERE a.grantee = 0
            )
        UNION ALL
        -- For functions to come. The form with IN SCHEMA would do nothing: it
        -- cannot take away what the built-in default gives.
        SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON ROUTINES FROM PUBLIC', r.rolname)
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname IN ('wondernest_owner', 'wondernest_definer', 'wondernest_audit_owner')
            AND NOT EXISTS (
                SELECT 1
                FROM pg_catalog.pg_default_acl AS d
                WHERE d.defaclrole = r.oid AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f'
            )
    LOOP
        EXECUTE v_item.statement;
    END LOOP;
END
$public$;

-- ---------------------------------------------------------------------------
-- Privileges
-- ---------------------------------------------------------------------------

-- wondernest_ro is what the application reads, wondernest_rw what it writes:
-- taking the membership in wondernest_rw away stops its writes at once, in open
-- sessions too, and leaves reading alone. Analytics and batch jobs read columns
-- by name, those that sql/manifest.toml lets them read. Backups read through
-- pg_read_all_data. Materialized views are granted to nobody.
DO $grants$
DECLARE
    v_item record;
    v_reason text;
BEGIN
    -- Compiling would take longer than running.
    PERFORM set_config('jit', 'off', true);

    -- Somebody may have taken privileges away on purpose, and this file must not
    -- hand them back behind their back.
    IF EXISTS (
        SELECT 1
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
        WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
            AND (s.setrole = 0 OR s.setrole IN (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname LIKE 'wondernest\_%'))
            AND c.setting ~* '^default_transaction_read_only=(on|true|yes|1)$'
    ) THEN
        v_reason := 'the database is read-only (default_transaction_read_only)';
    ELSIF has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') THEN
        IF EXISTS (
            SELECT 1
            FROM pg_catalog.pg_file_settings AS f
            WHERE f.name = 'default_transaction_read_only'
                AND f.applied
                AND f.setting ~* '^(on|true|yes|1)$'
        ) THEN
            v_reason := 'the server is read-only (default_transaction_read_only)';
        END IF;
    END IF;
    -- An intent without an end after it: running now, or it died half-way. Setup
    -- and what runs setup take nothing away, and would find themselves here.
    IF v_reason IS NULL THEN
        SELECT format('operation %s of %s has not ended', i.op_id, i.ts)
        INTO v_reason
        FROM audit.operator_ledger AS i
        WHERE i.phase = 'intent'
            AND i.payload !~ '"command"\s*:\s*"(setup|demo)'
            AND NOT EXISTS (
                SELECT 1
                FROM audit.operator_ledger AS e
                WHERE e.op_id = i.op_id
                    AND e.seq > i.seq
                    AND e.phase IN ('outcome', 'declined', 'dry_run', 'refused', 'read')
            )
        ORDER BY i.seq
        LIMIT 1;
    END IF;
    IF v_reason IS NOT NULL THEN
        RAISE WARNING 'no privileges were granted: %', v_reason
            USING HINT = 'Run this file again when that is over.';
        RETURN;
    END IF;

    FOR v_item IN
        WITH wanted_schemas (schemas, privileges, grantees) AS (
            VALUES
            (
                'core family content audio subscription analytics safety ml audit extensions', 'USAGE',
                'wondernest_ro wondernest_rw wondernest_worker wondernest_definer'
            ),
            ('core family content audio subscription analytics safety ml audit', 'USAGE', 'wondernest_analytics'),
            -- Whoever checks the security of a schema has to be able to name what is in it.
            (
                'core family content audio subscription analytics safety ml audit admin extensions', 'USAGE',
                'wondernest_monitor wondernest_operator wondernest_compliance'
            ),
            ('core audit', 'USAGE', 'wondernest_approver'),
            ('audit', 'USAGE', 'wondernest_audit_owner'),
            -- Flyway makes its history here when it comes first.
            ('public', 'USAGE CREATE', 'wondernest_owner')
        ),

        wanted_databases (privileges, grantees) AS (
            VALUES
            (
                'CONNECT',
                'wondernest_app wondernest_analytics wondernest_migration wondernest_backup wondernest_monitor '
                'wondernest_worker wondernest_operator wondernest_compliance wondernest_approver'
            ),
            ('CREATE TEMPORARY', 'wondernest_owner'),
            -- REFRESH MATERIALIZED VIEW CONCURRENTLY makes a temporary table as the owner of the view.
            ('TEMPORARY', 'wondernest_definer')
        ),

        -- A name ending in * stands for all tables of the schema.
        wanted_tables (tables, privileges, grantees) AS (
            VALUES
            ('core.* family.* content.* audio.* subscription.* analytics.* safety.* ml.*', 'SELECT', 'wondernest_ro'),
            (
                'core.* family.* content.* audio.* subscription.* analytics.* safety.* ml.*',
                'INSERT UPDATE DELETE', 'wondernest_rw'
            ),
            ('audit.activity_log audit.data_retention_policies', 'SELECT', 'wondernest_ro'),
            -- Batch jobs write what is computed.
            (
                'analytics.daily_child_metrics analytics.insights analytics.reports ml.child_features ml.recommendations',
                'INSERT UPDATE DELETE', 'wondernest_worker'
            ),
            ('audit.operator_ledger audit.ledger_checkpoints', 'SELECT', 'wondernest_operator wondernest_compliance'),
            ('audit.data_retention_policies', 'SELECT', 'wondernest_operator wondernest_audit_owner'),
            ('audit.backups', 'SELECT', 'wondernest_operator wondernest_compliance wondernest_monitor'),
            (
                'audit.activity_log audit.data_retention_policies audit.data_subject_requests audit.plan_approvals '
                'audit.erasure_tombstones audit.recipient_notices',
                'SELECT', 'wondernest_compliance'
            ),
            ('audit.recipient_notices', 'INSERT UPDATE', 'wondernest_compliance'),
            ('audit.data_subject_requests audit.plan_approvals', 'SELECT', 'wondernest_approver'),
            ('public.flyway_schema_history', 'SELECT', 'wondernest_operator wondernest_monitor'),
            (
                'admin.index_usage_stats admin.trigger_monitoring admin.partition_bounds',
                'SELECT', 'wondernest_monitor wondernest_operator wondernest_compliance'
            ),
            (
                'analytics.bi_daily_activity analytics.bi_content_monthly analytics.bi_subscriptions analytics.bi_milestones',
                'SELECT', 'wondernest_analytics'
            ),
            -- What the SECURITY DEFINER functions do.
            (
                'family.families family.family_members safety.parental_controls safety.incidents audio.session_archive '
                'audit.plan_approvals',
                'SELECT INSERT', 'wondernest_definer'
            ),
            (
                'core.users family.child_profiles family.guardian_consents analytics.daily_child_metrics '
                'analytics.dashboard_refreshes subscription.payments subscription.webhook_events '
                'audit.backups audit.data_subject_requests audit.erasure_tombstones',
                'SELECT INSERT UPDATE', 'wondernest_definer'
            ),
            (
                'core.user_tokens family.invitations content.item_age_bands audio.sessions',
                'SELECT INSERT UPDATE DELETE', 'wondernest_definer'
            ),
            ('core.user_preferences', 'INSERT', 'wondernest_definer'),
            ('core.sessions', 'SELECT UPDATE DELETE', 'wondernest_definer'),
            ('content.items subscription.subscriptions', 'SELECT UPDATE', 'wondernest_definer'),
            (
                'content.item_categories content.categories content.engagement audio.speech_metrics '
                'audit.data_retention_policies',
                'SELECT', 'wondernest_definer'
            ),
            ('audit.activity_log', 'SELECT INSERT DELETE', 'wondernest_definer')
        ),

        -- Built from sql/manifest.toml by tools/make_grants.py; a test compares the catalog with it.
        -- >>> columns
        wanted_columns (table_name, columns) AS (
            VALUES
            (
                'analytics.child_milestones',
                'child_id milestone_id achieved_on recorded_by note_key_id created_at updated_at'
            ),
            (
                'analytics.daily_child_metrics',
                'child_id metric_date age_months screen_seconds items_started items_completed distinct_items '
                'interaction_count audio_sessions audio_seconds adult_word_count child_vocalization_count '
                'conversational_turns media_seconds mean_quality_score calculated_at'
            ),
            (
                'analytics.dashboard_refreshes',
                'view_name refreshed_at duration_ms row_count'
            ),
            (
                'analytics.events',
                'id occurred_at event_name user_id family_id child_id'
            ),
            (
                'analytics.insights',
                'id child_id insight_type title details confidence period_start period_end dismissed_at '
                'created_at'
            ),
            (
                'analytics.milestones',
                'id code domain title description typical_min_months typical_max_months created_at updated_at'
            ),
            (
                'analytics.reports',
                'id family_id child_id report_type period_start period_end content generated_at expires_at'
            ),
            (
                'audio.session_archive',
                'session_id child_id started_at ended_at location status quality_score measured_seconds '
                'adult_word_count child_vocalization_count conversational_turns media_seconds archived_at'
            ),
            (
                'audio.sessions',
                'id child_id started_at ended_at location status quality_score updated_at'
            ),
            (
                'audio.speech_metrics',
                'id session_id session_started_at child_id window_start window_seconds adult_word_count '
                'child_vocalization_count conversational_turns unique_word_estimate mean_utterance_words '
                'media_seconds noise_level_db language algorithm_version created_at'
            ),
            (
                'audit.activity_log',
                'id timestamp action table_schema table_name row_id user_id subject_user_id child_id family_id '
                'erasure_attempt retention_until legal_hold identity_erased_at'
            ),
            (
                'audit.backups',
                'id kind digest covers system_identifier snapshot_at snapshot_lsn bytes is_encrypted expires_at '
                'registered_at removed_at'
            ),
            (
                'audit.data_retention_policies',
                'id policy_code table_schema table_name time_column retention_period action purpose business_need '
                'legal_basis is_active created_at updated_at'
            ),
            (
                'audit.data_subject_requests',
                'id request_kind subject_kind subject_user_id subject_child_id subject_family_id '
                'requester_relation received_at due_at extended_until clock_paused_at paused_total status '
                'verified_at verification_method disposition planned_at plan_digest plan_expires_at '
                'executing_since executed_at commit_lsn certificate_digest closed_at retained_until created_at '
                'updated_at'
            ),
            (
                'audit.erasure_tombstones',
                'id request_id subject_kind hmac_key_id recorded_at erased_at commit_lsn expires_at'
            ),
            (
                'audit.ledger_checkpoints',
                'seq sink h written_at'
            ),
            (
                'audit.operator_ledger',
                'seq ts op_id phase prev h'
            ),
            (
                'audit.plan_approvals',
                'id request_id operation plan_digest decision approved_at expires_at'
            ),
            (
                'audit.recipient_notices',
                'id request_id recipient notified_at acknowledged_at created_at'
            ),
            (
                'content.categories',
                'id slug name description parent_id sort_order created_at updated_at'
            ),
            (
                'content.collection_items',
                'collection_id item_id position added_at'
            ),
            (
                'content.collections',
                'id family_id created_by is_published created_at updated_at'
            ),
            (
                'content.creators',
                'id name kind website_url is_verified status created_at updated_at'
            ),
            (
                'content.curation_reviews',
                'id item_id reviewer_id decision quality_score safety_level reviewed_at'
            ),
            (
                'content.engagement',
                'id child_id item_id started_at ended_at duration_seconds progress completed interaction_count '
                'rating'
            ),
            (
                'content.item_age_bands',
                'item_id age_year content_type language min_age_months max_age_months safety_level rank_score'
            ),
            (
                'content.item_categories',
                'item_id category_id is_primary'
            ),
            (
                'content.items',
                'id title description content_type creator_id language min_age_months max_age_months '
                'duration_seconds source_url thumbnail_url learning_goals status safety_level quality_score '
                'popularity_score rank_score published_at created_at updated_at'
            ),
            (
                'core.sessions',
                'id user_id device_id last_seen_at expires_at revoked_at created_at'
            ),
            (
                'core.user_devices',
                'id user_id platform app_version last_seen_at revoked_at created_at updated_at'
            ),
            (
                'core.user_preferences',
                'user_id email_notifications push_notifications weekly_summary marketing_opt_in quiet_hours_start '
                'quiet_hours_end created_at updated_at'
            ),
            (
                'core.user_tokens',
                'id user_id purpose expires_at used_at created_at'
            ),
            (
                'core.users',
                'id email_verified_at auth_provider timezone locale status failed_login_count locked_until '
                'last_login_at password_changed_at processing_restricted_at legal_hold is_sample created_at '
                'updated_at'
            ),
            (
                'family.child_notes',
                'id child_id author_id note_key_id created_at updated_at'
            ),
            (
                'family.child_profiles',
                'id family_id gender primary_language processing_restricted_at restriction_reason '
                'collection_stopped_at custody_review legal_hold is_sample created_at updated_at'
            ),
            (
                'family.families',
                'id created_by timezone legal_hold is_sample created_at updated_at'
            ),
            (
                'family.family_members',
                'family_id user_id role can_consent joined_at updated_at'
            ),
            (
                'family.guardian_consents',
                'id child_id guardian_user_id consent_type method is_verifiable policy_version granted_at '
                'withdrawn_at withdrawn_by withdrawal_reason'
            ),
            (
                'family.invitations',
                'id family_id invited_by role expires_at accepted_at accepted_by revoked_at created_at'
            ),
            (
                'ml.child_features',
                'child_id feature_set features model_version_id computed_at'
            ),
            (
                'ml.model_versions',
                'id model_id version status artifact_uri metrics trained_at deployed_at created_at updated_at'
            ),
            (
                'ml.models',
                'id name purpose description is_active created_at updated_at'
            ),
            (
                'ml.recommendations',
                'id child_id item_id model_version_id score reason shown_at opened_at dismissed_at expires_at '
                'created_at'
            ),
            (
                'safety.content_ratings',
                'id item_id scheme rating min_age_months descriptors rated_at updated_at'
            ),
            (
                'safety.content_reports',
                'id item_id reporter_user_id reason details_key_id status resolved_at created_at updated_at'
            ),
            (
                'safety.incidents',
                'id family_id child_id item_id category severity description_key_id reported_by status '
                'occurred_at resolved_at legal_hold created_at updated_at'
            ),
            (
                'safety.parental_controls',
                'child_id daily_screen_minutes bedtime_start bedtime_end max_safety_level blocked_content_types '
                'blocked_category_ids audio_monitoring_enabled updated_by created_at updated_at'
            ),
            (
                'subscription.invoices',
                'id family_id subscription_id provider status amount_cents tax_cents currency billing_country '
                'issued_at paid_at retention_until legal_hold created_at updated_at'
            ),
            (
                'subscription.payments',
                'id family_id subscription_id invoice_id provider status amount_cents currency failure_code '
                'occurred_at retention_until legal_hold created_at updated_at'
            ),
            (
                'subscription.plans',
                'id code name description price_cents currency billing_interval max_children features is_active '
                'created_at updated_at'
            ),
            (
                'subscription.subscriptions',
                'id family_id plan_id payer_user_id status provider current_period_start current_period_end '
                'trial_ends_at canceled_at created_at updated_at'
            ),
            (
                'subscription.webhook_events',
                'id provider event_type outcome received_at'
            )
        ),
        -- <<< columns

        -- By when a row is due and whose it is, for admin.get_retention_backlog; and what admin.get_unfinished_operations looks at.
        wanted_times (table_name, columns) AS (
            VALUES
            ('core.user_devices', 'last_seen_at user_id'),
            ('content.curation_reviews', 'reviewed_at reviewer_id'),
            ('subscription.invoices', 'issued_at retention_until legal_hold family_id'),
            ('analytics.events', 'occurred_at child_id family_id user_id'),
            ('analytics.insights', 'created_at child_id'),
            ('analytics.reports', 'generated_at child_id family_id'),
            ('safety.content_reports', 'created_at reporter_user_id'),
            ('ml.child_features', 'computed_at child_id'),
            ('ml.recommendations', 'created_at child_id'),
            ('audit.operator_ledger', 'seq ts op_id phase')
        ),

        -- Every function and who may call it.
        wanted_functions (functions, grantees) AS (
            VALUES
            (
                'core.current_app_user_id',
                'wondernest_ro wondernest_rw wondernest_worker wondernest_compliance wondernest_definer'
            ),
            (
                'core.is_trusted_caller core.is_session_member',
                'wondernest_ro wondernest_rw wondernest_worker wondernest_compliance wondernest_approver wondernest_definer'
            ),
            (
                'core.require_user_context core.require_encryption_key core.encryption_key_id core.encrypt_text '
                'core.decrypt_text family.verifiable_consent_required content.age_in_months',
                'wondernest_ro wondernest_rw wondernest_worker wondernest_definer'
            ),
            (
                'family.my_family_ids family.my_child_ids family.require_family_access family.require_child_access',
                'wondernest_ro wondernest_rw wondernest_worker'
            ),
            -- It tells about any child.
            ('family.collection_refusal', 'wondernest_worker wondernest_compliance'),
            -- Triggers call it as whoever inserts.
            ('family.assert_collection_allowed', 'wondernest_rw wondernest_worker wondernest_owner'),
            ('core.find_login core.find_session', 'wondernest_ro'),
            (
                'core.create_user core.request_password_reset core.complete_password_reset family.accept_invitation '
                'subscription.apply_payment_webhook',
                'wondernest_rw'
            ),
            (
                'content.get_age_appropriate_content analytics.get_child_insights analytics.get_family_dashboard '
                'family.get_child_notes',
                'wondernest_ro wondernest_worker'
            ),
            (
                'family.create_family family.create_child_profile family.invite_member family.record_consent '
                'family.withdraw_consent family.stop_collection family.resume_collection family.restrict_processing '
                'family.lift_restriction family.add_child_note audio.start_session audio.end_session '
                'analytics.calculate_daily_metrics analytics.record_milestone safety.report_content safety.record_incident',
                'wondernest_rw wondernest_worker'
            ),
            ('audit.open_request', 'wondernest_rw wondernest_worker wondernest_compliance'),
            (
                'audio.archive_old_sessions core.cleanup_expired_sessions content.refresh_popularity '
                'analytics.refresh_dashboards audit.purge_expired_activity',
                'wondernest_worker wondernest_operator'
            ),
            (
                'analytics.get_content_popularity analytics.get_platform_daily',
                'wondernest_ro wondernest_analytics wondernest_worker wondernest_monitor'
            ),
            (
                'audit.verify_request audit.plan_request audit.begin_execution audit.advance_request '
                'audit.add_tombstone audit.erasure_is_entitled',
                'wondernest_compliance'
            ),
            ('audit.approve_plan', 'wondernest_approver'),
            -- Everyone whose work is recorded, and who changes something.
            (
                'audit.ledger_append audit.ledger_checkpoint audit.ledger_own',
                'wondernest_operator wondernest_compliance wondernest_approver wondernest_worker wondernest_owner'
            ),
            ('audit.ledger_remove_sealed audit.register_backup audit.mark_backup_removed', 'wondernest_operator'),
            (
                'admin.get_db_health_metrics admin.validate_security_config',
                'wondernest_monitor wondernest_operator wondernest_compliance'
            ),
            ('admin.subject_totals', 'wondernest_monitor wondernest_operator'),
            (
                'admin.get_retention_backlog admin.get_unfinished_operations',
                'wondernest_monitor wondernest_operator wondernest_compliance'
            ),
            -- Nobody calls a trigger function, but attaching a partition makes its triggers anew, as the owner.
            (
                'audit.log_row_change audit.log_truncate family.withdraw_consents_of_leaver content.sync_age_bands '
                'content.validate_category audio.validate_speech_metrics subscription.set_retention '
                'analytics.validate_child_milestone safety.validate_parental_controls',
                'wondernest_owner'
            ),
            -- They work for members of the owner only.
            ('admin.create_monthly_partition admin.ensure_partitions admin.copy_partition_security', 'wondernest_owner')
        ),

        wanted AS (
            SELECT
                'SCHEMA' AS kind,
                n.oid AS object_oid,
                p.privilege,
                NULL::text AS column_name,
                g.grantee
            FROM wanted_schemas AS w
            CROSS JOIN LATERAL string_to_table(w.schemas, ' ') AS s (schema_name)
            CROSS JOIN LATERAL string_to_table(w.privileges, ' ') AS p (privilege)
            CROSS JOIN LATERAL string_to_table(w.grantees, ' ') AS g (grantee)
            INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.schema_name
            UNION
            SELECT
                'DATABASE',
                d.oid,
                p.privilege,
                NULL,
                g.grantee
            FROM wanted_databases AS w
            CROSS JOIN LATERAL string_to_table(w.privileges, ' ') AS p (privilege)
            CROSS JOIN LATERAL string_to_table(w.grantees, ' ') AS g (grantee)
            INNER JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
            UNION
            SELECT
                'TABLE',
                c.oid,
                p.privilege,
                NULL,
                g.grantee
            FROM wanted_tables AS w
            CROSS JOIN LATERAL string_to_table(w.tables, ' ') AS t (table_name)
            CROSS JOIN LATERAL string_to_table(w.privileges, ' ') AS p (privilege)
            CROSS JOIN LATERAL string_to_table(w.grantees, ' ') AS g (grantee)
            CROSS JOIN LATERAL (
                SELECT to_regclass(t.table_name)::oid AS oid
                WHERE to_regclass(t.table_name) IS NOT NULL
                UNION ALL
                SELECT k.oid
                FROM pg_catalog.pg_class AS k
                WHERE t.table_name LIKE '%.*'
                    AND k.relnamespace = to_regnamespace(split_part(t.table_name, '.', 1))
                    AND k.relkind IN ('r', 'p')
                    AND NOT k.relispartition
            ) AS c
            UNION
            SELECT
                'TABLE',
                to_regclass(w.table_name)::oid,
                'SELECT',
                k.column_name,
                g.grantee
            FROM wanted_columns AS w
            CROSS JOIN LATERAL regexp_split_to_table(w.columns, '\s+') AS k (column_name)
            CROSS JOIN LATERAL string_to_table('wondernest_analytics wondernest_worker', ' ') AS g (grantee)
            UNION
            SELECT
                'TABLE',
                to_regclass(w.table_name)::oid,
                'SELECT',
                k.column_name,
                'wondernest_definer'
            FROM wanted_times AS w
            CROSS JOIN LATERAL string_to_table(w.columns, ' ') AS k (column_name)
            UNION
            SELECT
                'ROUTINE',
                p.oid,
                'EXECUTE',
                NULL,
                g.grantee
            FROM wanted_functions AS w
            CROSS JOIN LATERAL string_to_table(w.functions, ' ') AS f (function_name)
            CROSS JOIN LATERAL string_to_table(w.grantees, ' ') AS g (grantee)
            INNER JOIN pg_catalog.pg_proc AS p
                ON p.pronamespace = to_regnamespace(split_part(f.function_name, '.', 1))
                AND p.proname = split_part(f.function_name, '.', 2)
        ),

        held AS (
            SELECT
                'SCHEMA' AS kind,
                n.oid AS object_oid,
                a.privilege_type AS privilege,
                NULL::text AS column_name,
                a.grantee
            FROM pg_catalog.pg_namespace AS n
            CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
            UNION ALL
            SELECT
                'DATABASE',
                d.oid,
                a.privilege_type,
                NULL,
                a.grantee
            FROM pg_catalog.pg_database AS d
            CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
            UNION ALL
            SELECT
                'TABLE',
                c.oid,
                a.privilege_type,
                NULL,
                a.grantee
            FROM pg_catalog.pg_class AS c
            CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
            WHERE c.relkind IN ('r', 'p', 'v', 'm')
            UNION ALL
            SELECT
                'TABLE',
                k.attrelid,
                a.privilege_type,
                k.attname::text,
                a.grantee
            FROM pg_catalog.pg_attribute AS k
            CROSS JOIN LATERAL aclexplode(k.attacl) AS a
            UNION ALL
            SELECT
                'ROUTINE',
                p.oid,
                a.privilege_type,
                NULL,
                a.grantee
            FROM pg_catalog.pg_proc AS p
            CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
        ),

        -- EXCEPT, not a join: it hashes, whatever the planner thinks of the lists above.
        missing AS (
            SELECT
                w.kind,
                w.object_oid,
                w.privilege,
                w.column_name,
                to_regrole(w.grantee)::oid AS grantee
            FROM wanted AS w
            EXCEPT
            SELECT
                h.kind,
                h.object_oid,
                h.privilege,
                h.column_name,
                h.grantee
            FROM held AS h
        )

        SELECT
            w.kind,
            CASE w.kind
                WHEN 'SCHEMA' THEN w.object_oid::regnamespace::text
                WHEN 'DATABASE' THEN quote_ident(current_database())
                WHEN 'TABLE' THEN w.object_oid::regclass::text
                ELSE w.object_oid::regprocedure::text
            END AS object_name,
            w.grantee::regrole::text AS grantee,
            string_agg(
                w.privilege || coalesce(' (' || quote_ident(w.column_name) || ')', ''),
                ', ' ORDER BY w.privilege, w.column_name
            ) AS privileges
        FROM missing AS w
        GROUP BY w.kind, w.object_oid, w.grantee
        ORDER BY w.kind, object_name, w.grantee
    LOOP
        EXECUTE format('GRANT %s ON %s %s TO %s', v_item.privileges, v_item.kind, v_item.object_name, v_item.grantee);
    END LOOP;
END
$grants$;

-- ---------------------------------------------------------------------------
-- Row-level security
-- ---------------------------------------------------------------------------

-- Every table of a subject is enabled and forced. A table has up to five policies:
--   tenant     the application sees and writes what belongs to the signed-in parent
--   context    and nothing at all while nobody is signed in (restrictive)
--   owner      migrations, which without it would silently match no row
--   worker     batch jobs, whose column privileges leave out who somebody is
--   analytics  everything but sample families, columns by privilege
-- Keys are compared as = ANY (ARRAY(SELECT f())): unlike IN (SELECT f()) that uses
-- an index. The user is read once a statement, and '' counts as nobody: a value
-- set for one transaction leaves it behind.
DO $policies$
DECLARE
    v_item record;
    v_me CONSTANT text := $me$( SELECT (NULLIF(current_setting('app.current_user_id'::text, true), ''::text))::uuid AS "nullif")$me$;
    v_signed_in CONSTANT text := $in$(( SELECT NULLIF(current_setting('app.current_user_id'::text, true), ''::text) AS "nullif") IS NOT NULL)$in$;
    v_families CONSTANT text := 'ANY (ARRAY( SELECT family.my_family_ids() AS my_family_ids))';
    v_children CONSTANT text := 'ANY (ARRAY( SELECT family.my_child_ids() AS my_child_ids))';
BEGIN
    PERFORM set_config('jit', 'off', true);
    FOR v_item IN
        WITH tables (table_name, tenant, tenant_check, analytics) AS (
            -- What is written as PostgreSQL prints it is compared as text; @me@, @families@ and @children@ are put
            -- in below. An empty tenant_check is the same as tenant.
            VALUES
            ('core.users', '(id = @me@)', '', '(NOT is_sample)'),
            ('core.user_devices', '(user_id = @me@)', '', 'user'),
            ('core.sessions', '(user_id = @me@)', '', 'user'),
            ('core.user_tokens', '(user_id = @me@)', '', 'user'),
            ('core.user_preferences', '(user_id = @me@)', '', 'user'),
            ('family.families', '(id = @families@)', '', '(NOT is_sample)'),
            ('family.family_members', '(family_id = @families@)', '', 'family'),
            ('family.invitations', '(family_id = @families@)', '', 'family'),
            ('family.child_profiles', '(family_id = @families@)', '', '(NOT is_sample)'),
            (
                'family.guardian_consents', '(child_id = @children@)',
                -- Nobody consents for someone else; ending another guardian's consent has a function.
                '((child_id = @children@) AND (guardian_user_id = @me@))', 'child'
            ),
            ('family.child_notes', '(child_id = @children@)', '', 'child'),
            ('content.curation_reviews', '(reviewer_id = @me@)', '', 'reviewer_id'),
            ('content.collections', '(family_id = @families@)', '', 'family?'),
            (
                'content.collection_items',
                '(collection_id = ANY (ARRAY( SELECT c.id FROM content.collections c WHERE (c.family_id = @families@))))', '',
                '(EXISTS ( SELECT 1 FROM content.collections s WHERE (s.id = collection_items.collection_id)))'
            ),
            ('content.engagement', '(child_id = @children@)', '', 'child'),
            ('audio.sessions', '(child_id = @children@)', '', 'child'),
            ('audio.speech_metrics', '(child_id = @children@)', '', 'child'),
            ('audio.session_archive', '(child_id = @children@)', '', 'child'),
            ('subscription.subscriptions', '(family_id = @families@)', '', 'family'),
            ('subscription.invoices', '(family_id = @families@)', '', 'family?'),
            ('subscription.payments', '(family_id = @families@)', '', 'family?'),
            (
                'analytics.events',
                '((child_id = @children@) OR (family_id = @families@) OR (user_id = @me@))',
                '(((child_id IS NULL) OR (child_id = @children@)) AND ((family_id IS NULL) OR (family_id = @families@)) '
                'AND ((user_id IS NULL) OR (user_id = @me@)) AND (COALESCE(child_id, family_id, user_id) IS NOT NULL))',
                'child? family? user?'
            ),
            ('analytics.daily_child_metrics', '(child_id = @children@)', '', 'child'),
            ('analytics.insights', '(child_id = @children@)', '', 'child'),
            ('analytics.child_milestones', '(child_id = @children@)', '', 'child'),
            ('analytics.reports', '(family_id = @families@)', '', 'family'),
            ('safety.content_reports', '(reporter_user_id = @me@)', '', 'reporter_user_id'),
            ('safety.parental_controls', '(child_id = @children@)', '', 'child'),
            (
                'safety.incidents',
                '((child_id = @children@) OR (family_id = @families@))',
                '(((child_id IS NULL) OR (child_id = @children@)) AND ((family_id IS NULL) OR (family_id = @families@)) '
                'AND ((reported_by IS NULL) OR (reported_by = @me@)) AND (COALESCE(child_id, family_id) IS NOT NULL))',
                'child? family?'
            ),
            ('ml.child_features', '(child_id = @children@)', '', 'child'),
            ('ml.recommendations', '(child_id = @children@)', '', 'child'),
            (
                'audit.activity_log',
                '((child_id = @children@) OR (family_id = @families@) OR (subject_user_id = @me@))', '',
                'child? family? subject_user_id?'
            ),
            ('audit.data_subject_requests', NULL, '', 'subject_child_id? subject_family_id? subject_user_id?'),
            (
                'audit.recipient_notices', NULL, '',
                '(EXISTS ( SELECT 1 FROM audit.data_subject_requests s WHERE (s.id = recipient_notices.request_id)))'
            )
        ),

        -- The words in the last column: which key must belong to a row that analytics sees; ? for keys that may be NULL.
        seen AS (
            SELECT
                t.table_name,
                CASE
                    WHEN t.analytics LIKE '(%' THEN t.analytics
                    ELSE CASE WHEN count(*) > 1 THEN '(' ELSE '' END
                        || string_agg(
                            CASE WHEN k.word LIKE '%?' THEN format('((%s IS NULL) OR ', x.column_name) ELSE '' END
                            || format('(EXISTS ( SELECT 1 FROM %s s WHERE (s.id = %s.%s)))', x.root, split_part(t.table_name, '.', 2), x.column_name)
                            || CASE WHEN k.word LIKE '%?' THEN ')' ELSE '' END,
                            ' AND ' ORDER BY k.place
                        )
                        || CASE WHEN count(*) > 1 THEN ')' ELSE '' END
                END AS expression
            FROM tables AS t
            LEFT JOIN LATERAL string_to_table(t.analytics, ' ') WITH ORDINALITY AS k (word, place) ON t.analytics NOT LIKE '(%'
            LEFT JOIN LATERAL (
                SELECT
                    CASE rtrim(k.word, '?')
                        WHEN 'user' THEN 'user_id'
                        WHEN 'family' THEN 'family_id'
                        WHEN 'child' THEN 'child_id'
                        ELSE rtrim(k.word, '?')
                    END AS column_name,
                    CASE
                        WHEN k.word LIKE '%child%' THEN 'family.child_profiles'
                        WHEN k.word LIKE '%family%' THEN 'family.families'
                        ELSE 'core.users'
                    END AS root
            ) AS x ON true
            GROUP BY t.table_name, t.analytics
        ),

        spelled (table_name, suffix, is_permissive, command, roles, using_text, check_text) AS (
            SELECT
                t.table_name,
                'tenant',
                true,
                CASE WHEN t.table_name = 'audit.activity_log' THEN 'r' ELSE '*' END,
                CASE
                    WHEN t.table_name = 'audit.activity_log' THEN '{wondernest_ro}'
                    ELSE '{wondernest_ro,wondernest_rw}'
                END::text[],
                t.tenant,
                CASE
                    WHEN t.table_name = 'audit.activity_log' THEN NULL
                    ELSE coalesce(nullif(t.tenant_check, ''), t.tenant)
                END
            FROM tables AS t
            WHERE t.tenant IS NOT NULL
            UNION ALL
            SELECT
                t.table_name,
                'context',
                false,
                '*',
                '{wondernest_ro,wondernest_rw}',
                v_signed_in,
                v_signed_in
            FROM tables AS t
            WHERE t.tenant IS NOT NULL
            UNION ALL
            SELECT
                t.table_name,
                'owner',
                true,
                '*',
                '{wondernest_owner}',
                'true',
                'true'
            FROM tables AS t
            UNION ALL
            SELECT
                t.table_name,
                'worker',
                true,
                '*',
                '{wondernest_worker}',
                'true',
                'true'
            FROM tables AS t
            WHERE t.table_name NOT LIKE 'audit.%'
            UNION ALL
            SELECT
                s.table_name,
                'analytics',
                true,
                'r',
                '{wondernest_analytics}',
                s.expression,
                NULL
            FROM seen AS s
            UNION ALL
            -- Lists that curation published are everybody's to read.
            SELECT
                'content.collections',
                'published',
                true,
                'r',
                '{wondernest_ro}',
                '((family_id IS NULL) AND is_published)',
                NULL
            UNION ALL
            SELECT
                'content.collection_items',
                'published',
                true,
                'r',
                '{wondernest_ro}',
                '(EXISTS ( SELECT 1 FROM content.collections c WHERE ((c.id = collection_items.collection_id) '
                'AND (c.family_id IS NULL) AND c.is_published)))',
                NULL
            UNION ALL
            -- Officers and approvers read the register; its functions change it.
            SELECT
                x.table_name,
                'officer',
                true,
                'r',
                x.roles::text[],
                'true',
                NULL
            FROM (
                VALUES
                ('audit.activity_log', '{wondernest_compliance}'),
                ('audit.data_subject_requests', '{wondernest_approver,wondernest_compliance}')
            ) AS x (table_name, roles)
            UNION ALL
            SELECT
                'audit.recipient_notices',
                'officer',
                true,
                '*',
                '{wondernest_compliance}',
                'true',
                'true'
        ),

        wanted AS (
            SELECT
                to_regclass(p.table_name)::oid AS table_oid,
                split_part(p.table_name, '.', 2) || '_' || p.suffix AS policy_name,
                p.is_permissive,
                p.command,
                p.roles,
                replace(replace(replace(p.using_text, '@me@', v_me), '@families@', v_families), '@children@', v_children) AS using_text,
                replace(replace(replace(p.check_text, '@me@', v_me), '@families@', v_families), '@children@', v_children) AS check_text
            FROM spelled AS p
        )

        SELECT
            w.table_oid::regclass AS table_name,
            w.policy_name,
            p.oid IS NOT NULL AS is_there,
            format(
                'CREATE POLICY %I ON %s AS %s FOR %s TO %s USING (%s)%s',
                w.policy_name,
                w.table_oid::regclass,
                CASE WHEN w.is_permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                CASE w.command WHEN 'r' THEN 'SELECT' ELSE 'ALL' END,
                array_to_string(w.roles, ', '),
                w.using_text,
                ' WITH CHECK (' || w.check_text || ')'
            ) AS statement
        FROM wanted AS w
        LEFT JOIN pg_catalog.pg_policy AS p ON p.polrelid = w.table_oid AND p.polname = w.policy_name
        WHERE p.oid IS NULL
            OR p.polpermissive <> w.is_permissive
            OR p.polcmd <> w.command
            OR (
                SELECT array_agg(r.rolname::text ORDER BY r.rolname)
                FROM unnest(p.polroles) AS x (role_oid)
                INNER JOIN pg_catalog.pg_roles AS r ON r.oid = x.role_oid
            ) IS DISTINCT FROM w.roles
            OR regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s', '', 'g')
                IS DISTINCT FROM regexp_replace(w.using_text, '\s', '', 'g')
            OR regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s', '', 'g')
                IS DISTINCT FROM regexp_replace(w.check_text, '\s', '', 'g')
        ORDER BY w.table_oid, w.policy_name
    LOOP
        IF v_item.is_there THEN
            EXECUTE format('DROP POLICY %I ON %s', v_item.policy_name, v_item.table_name);
        END IF;
        EXECUTE v_item.statement;
    END LOOP;

    -- Switched on when the policies are there: in between, nobody sees too much.
    FOR v_item IN
        SELECT
            c.oid::regclass AS table_name,
            c.relrowsecurity,
            c.relforcerowsecurity
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY ('{core, family, content, audio, subscription, analytics, safety, ml, audit}'::text[])
            AND c.relkind IN ('r', 'p')
            AND EXISTS (SELECT 1 FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid)
            AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        ORDER BY c.oid
    LOOP
        IF NOT v_item.relrowsecurity THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_item.table_name);
        END IF;
        IF NOT v_item.relforcerowsecurity THEN
            EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', v_item.table_name);
        END IF;
    END LOOP;

    -- Partitions: owner and privileges of the parent, row-level security without
    -- a policy. Read directly they show nothing, through the parent the right rows.
    FOR v_item IN
        SELECT
            i.inhparent::regclass AS parent,
            i.inhrelid::regclass AS partition
        FROM pg_catalog.pg_inherits AS i
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relkind = 'r'
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY ('{content, audio, analytics, audit}'::text[])
        ORDER BY i.inhparent, i.inhrelid
    LOOP
        PERFORM admin.copy_partition_security(v_item.parent, v_item.partition);
    END LOOP;
END
$policies$;
