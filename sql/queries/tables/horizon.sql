-- answers: Who keeps dead rows of this database from being removed: sessions, prepared transactions, slots, standbys?
-- privileges: pg_read_all_stats to see sessions and standbys of other roles
-- since: 15
-- cost: none to speak of
SELECT
    h.kind,
    h.name,
    h.age,
    h.since
FROM (
    SELECT
        'session' AS kind,
        a.pid || ' of ' || coalesce(pg_catalog.quote_ident(a.usename), a.backend_type, '?')
        || coalesce(', ' || a.state, '') AS name,
        greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid))::bigint AS age,
        a.xact_start AS since
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.pid <> pg_catalog.pg_backend_pid()
        AND a.backend_type IS DISTINCT FROM 'walsender'
        AND (a.datname = pg_catalog.current_database() OR a.datname IS NULL)
    UNION ALL
    SELECT
        'prepared transaction' AS kind,
        pg_catalog.quote_literal(p.gid) || ' of ' || pg_catalog.quote_ident(p.owner) AS name,
        pg_catalog.age(p.transaction)::bigint AS age,
        p.prepared AS since
    FROM pg_catalog.pg_prepared_xacts AS p
    WHERE p.database = pg_catalog.current_database()
    UNION ALL
    SELECT
        'replication slot' AS kind,
        pg_catalog.quote_ident(s.slot_name) || CASE WHEN s.active THEN '' ELSE ', inactive' END AS name,
        greatest(
            pg_catalog.age(s.xmin),
            CASE WHEN s.database = pg_catalog.current_database() THEN pg_catalog.age(s.catalog_xmin) END
        )::bigint AS age,
        NULL::timestamptz AS since
    FROM pg_catalog.pg_replication_slots AS s
    UNION ALL
    SELECT
        'standby' AS kind,
        coalesce(nullif(r.application_name, ''), 'pid ' || r.pid) AS name,
        pg_catalog.age(r.backend_xmin)::bigint AS age,
        NULL::timestamptz AS since
    FROM pg_catalog.pg_stat_replication AS r
) AS h
WHERE h.age IS NOT NULL
ORDER BY h.age DESC, h.kind ASC, h.name ASC
LIMIT 5;
