-- V002__add_feature.sql: the example of the database's own document
-- transaction: yes
-- rollback:
--     DROP INDEX family.idx_child_profiles_new_field;
--     ALTER TABLE family.child_profiles DROP COLUMN new_field;

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '15min';
SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE family.child_profiles
ADD COLUMN new_field VARCHAR(100);

CREATE INDEX idx_child_profiles_new_field
ON family.child_profiles (new_field);
