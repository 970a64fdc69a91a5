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
