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
