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
