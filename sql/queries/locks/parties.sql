-- answers: Who are the processes of the server, and what do they do?
-- privileges: none; pg_read_all_stats to see the state and the text of other roles' sessions
-- since: 15
-- cost: one look at pg_stat_activity
-- "leader" is for parallel workers only: a parallel apply worker has one too, but is no part of its lock group.
SELECT
    a.pid,
    CASE WHEN a.backend_type = 'parallel worker' THEN a.leader_pid END AS leader,
    a.backend_start,
    a.xact_start,
    a.backend_type,
    a.usename::text AS role,
    r.rolsuper AS superuser,
    a.datname::text AS database,
    a.application_name AS application,
    CASE WHEN a.client_port = -1 THEN 'local' ELSE pg_catalog.host(a.client_addr) END AS client,
    CASE WHEN a.state IS NULL AND a.query = '<insufficient privilege>' THEN 'hidden' ELSE a.state END AS state,
    pg_catalog.clock_timestamp() - a.state_change AS state_age,
    pg_catalog.clock_timestamp() - a.xact_start AS xact_age,
    a.backend_xid::text AS xid,
    a.backend_xmin::text AS xmin,
    a.wait_event_type,
    a.wait_event,
    -- Only words that SQL knows; anything else could be somebody's data.
    CASE
        WHEN a.first = ANY ('{CREATE,ALTER,DROP,REINDEX,REFRESH}'::text[]) THEN a.first || ' ' || a.second
        WHEN a.first = ANY ('{SELECT,INSERT,UPDATE,DELETE,MERGE,TRUNCATE,VACUUM,ANALYZE,COPY,LOCK,CLUSTER}'::text[])
            OR a.first = ANY ('{BEGIN,START,COMMIT,END,ROLLBACK,SAVEPOINT,RELEASE,SET,SHOW,EXPLAIN,WITH}'::text[])
            OR a.first = ANY ('{CALL,DO,DECLARE,FETCH,CLOSE,PREPARE,EXECUTE,GRANT,REVOKE,COMMENT,VALUES}'::text[])
            THEN a.first
    END AS command,
    a.query_id,
    a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)' AS wraparound,
    CASE
        WHEN :'show_queries'::boolean AND NOT (a.state IS NULL AND a.query = '<insufficient privilege>') THEN a.query
    END AS query
FROM (
    SELECT
        p.*,
        pg_catalog.upper(pg_catalog.split_part(p.start, ' ', 1)) AS first,
        pg_catalog.upper(pg_catalog.split_part(p.start, ' ', 2)) AS second
    FROM (
        SELECT
            s.*,
            -- Without a comment at the beginning, and with blanks for whatever parts words.
            pg_catalog.ltrim(
                pg_catalog.translate(
                    pg_catalog.left(
                        CASE
                            WHEN s.query LIKE '/*%*/%'
                                THEN pg_catalog.substr(s.query, pg_catalog.strpos(s.query, '*/') + 2)
                            ELSE s.query
                        END,
                        200
                    ),
                    E'\n\r\t;(',
                    '     '
                )
            ) AS start
        FROM pg_catalog.pg_stat_activity AS s
    ) AS p
) AS a
LEFT JOIN pg_catalog.pg_roles AS r
    ON r.oid = a.usesysid;
