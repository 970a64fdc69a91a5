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
