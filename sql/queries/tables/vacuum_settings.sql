-- answers: When does autovacuum begin with a table that has no options of its own?
-- privileges: none
-- since: 15
-- cost: none to speak of
SELECT
    s.name,
    s.setting
FROM pg_catalog.pg_settings AS s
WHERE s.name IN (
        'autovacuum',
        'track_counts',
        'autovacuum_vacuum_threshold',
        'autovacuum_vacuum_scale_factor',
        'autovacuum_vacuum_max_threshold',
        'autovacuum_vacuum_insert_threshold',
        'autovacuum_vacuum_insert_scale_factor',
        'autovacuum_analyze_threshold',
        'autovacuum_analyze_scale_factor',
        'autovacuum_freeze_max_age',
        'autovacuum_multixact_freeze_max_age'
    )
ORDER BY s.name;
