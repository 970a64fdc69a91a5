-- answers: which tables have far more dead rows than the number at which autovacuum should come?
-- title: Autovacuum debt
-- area: vacuum
-- unit: %
-- warn: > 500
-- critical: > 2000
-- preset: nightly
-- none: no table of this database has 10,000 dead rows and has gone without a vacuum for an hour
-- privileges: none; with pg_read_all_stats the finding also says how many workers are busy
-- since: 15
-- cost: one look into the statistics for each table and TOAST table
WITH dead AS MATERIALIZED (
    SELECT
        c.oid,
        c.relname,
        c.relnamespace,
        c.relkind,
        c.reltuples,
        c.reloptions,
        pg_catalog.pg_stat_get_dead_tuples(c.oid) AS found
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'm', 't')
        -- Autovacuum cannot enter temporary tables; they are not its debt.
        AND c.relpersistence <> 't'
),

many AS (
    SELECT
        d.oid,
        d.relname,
        d.relnamespace,
        d.relkind,
        d.reltuples,
        d.found,
        (
            SELECT max(v.at)
            FROM (
                VALUES
                (pg_catalog.pg_stat_get_last_vacuum_time(d.oid)),
                (pg_catalog.pg_stat_get_last_autovacuum_time(d.oid))
            ) AS v (at)
        ) AS since,
        o.enabled,
        coalesce(o.threshold, pg_catalog.current_setting('autovacuum_vacuum_threshold')::numeric) AS threshold,
        coalesce(o.factor, pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::numeric) AS factor,
        -- From PostgreSQL 18 on; -1 is no bound.
        coalesce(
            o.bound, pg_catalog.current_setting('autovacuum_vacuum_max_threshold', TRUE)::numeric, -1
        ) AS bound
    FROM dead AS d
    LEFT JOIN
        LATERAL (
            SELECT
                max(t.option_value) FILTER (WHERE t.option_name = 'autovacuum_enabled') AS enabled,
                max(t.option_value) FILTER (WHERE t.option_name = 'autovacuum_vacuum_threshold')::numeric AS threshold,
                max(t.option_value) FILTER (WHERE t.option_name = 'autovacuum_vacuum_scale_factor')::numeric AS factor,
                max(t.option_value) FILTER (WHERE t.option_name = 'autovacuum_vacuum_max_threshold')::numeric AS bound
            FROM pg_catalog.pg_options_to_table(d.reloptions) AS t
        ) AS o
        ON TRUE
    WHERE d.found >= 10000
),

owing AS (
    SELECT
        m.oid,
        m.relname,
        m.relnamespace,
        m.relkind,
        m.found,
        m.since,
        m.enabled,
        greatest(
            CASE
                WHEN m.bound >= 0 THEN least(m.threshold + m.factor * greatest(m.reltuples, 0)::numeric, m.bound)
                ELSE m.threshold + m.factor * greatest(m.reltuples, 0)::numeric
            END,
            1
        ) AS threshold
    FROM many AS m
    WHERE m.since IS NULL
        OR m.since < pg_catalog.clock_timestamp() - INTERVAL '1 hour'
),

workers AS (
    SELECT count(*) AS busy
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_type = 'autovacuum worker'
)

SELECT
    CASE
        WHEN o.relkind = 't' THEN pg_catalog.format('TOAST of %I.%I', m.nspname, w.relname)
        ELSE pg_catalog.format('%I.%I', n.nspname, o.relname)
    END AS object,
    round(100 * o.found / o.threshold, 1) AS measured,
    o.since,
    pg_catalog.concat_ws(
        '; ',
        pg_catalog.format('%s dead rows where autovacuum should come at %s', o.found, round(o.threshold)),
        CASE WHEN o.since IS NULL THEN 'never vacuumed, as far as the statistics go back' END,
        CASE
            WHEN pg_catalog.current_setting('autovacuum') = 'off' THEN 'autovacuum is off on this server'
            WHEN NOT coalesce(o.enabled::boolean, TRUE) THEN 'autovacuum is off for this table'
        END,
        CASE WHEN p.pid IS NOT NULL THEN 'a vacuum works on it now' END,
        CASE
            WHEN b.busy >= pg_catalog.current_setting('autovacuum_max_workers')::int
                THEN pg_catalog.format('all %s workers are busy', b.busy)
        END
    ) AS detail,
    CASE
        WHEN NOT coalesce(o.enabled::boolean, TRUE)
            THEN pg_catalog.format(
                    'In psql: ALTER TABLE %I.%I RESET (%sautovacuum_enabled)',
                    coalesce(m.nspname, n.nspname),
                    coalesce(w.relname, o.relname),
                    CASE WHEN o.relkind = 't' THEN 'toast.' ELSE '' END
                )
        ELSE 'wnadmin tables vacuum-debt'
    END AS fix
FROM owing AS o
INNER JOIN pg_catalog.pg_namespace AS n
    ON n.oid = o.relnamespace
LEFT JOIN pg_catalog.pg_class AS w
    ON o.relkind = 't'
    AND w.reltoastrelid = o.oid
LEFT JOIN pg_catalog.pg_namespace AS m
    ON m.oid = w.relnamespace
LEFT JOIN pg_catalog.pg_stat_progress_vacuum AS p
    ON p.relid = o.oid
    AND p.datname = pg_catalog.current_database()
CROSS JOIN workers AS b
WHERE o.found > o.threshold
ORDER BY measured DESC
LIMIT 50;
