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
