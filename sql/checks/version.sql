-- answers: until when is this release supported, and is a newer minor release of it known here?
-- title: Release
-- area: server
-- unit: days
-- warn: < 180
-- critical: < 0
-- evidence: partial
-- preset: nightly
-- privileges: none
-- since: 15
-- cost: nothing
WITH asked AS (
    SELECT
        pg_catalog.current_setting('server_version_num')::int AS number,
        (pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')::date AS today
),

-- Until when each is mended, and on which day its minor releases were last compared with what the project published.
majors (major, ends, known) AS (
    VALUES
    (15, date '2027-11-11', date '2026-11-22'),
    (16, date '2028-11-09', date '2026-08-31'),
    (17, date '2029-11-08', date '2026-08-31'),
    (18, date '2030-11-14', date '2026-08-31'),
    (19, date '2031-11-13', date '2026-11-22')
),

releases (at, numbers) AS (
    VALUES
    (date '2022-10-13', ARRAY[150000]),
    (date '2022-11-10', ARRAY[150001]),
    (date '2023-02-09', ARRAY[150002]),
    (date '2023-05-11', ARRAY[150003]),
    (date '2023-08-10', ARRAY[150004]),
    (date '2023-09-14', ARRAY[160000]),
    (date '2023-11-09', ARRAY[150005, 160001]),
    (date '2024-02-08', ARRAY[150006, 160002]),
    (date '2024-05-09', ARRAY[150007, 160003]),
    (date '2024-08-08', ARRAY[150008, 160004]),
    (date '2024-09-26', ARRAY[170000]),
    (date '2024-11-14', ARRAY[150009, 160005, 170001]),
    (date '2024-11-21', ARRAY[150010, 160006, 170002]),
    (date '2025-02-13', ARRAY[150011, 160007, 170003]),
    (date '2025-02-20', ARRAY[150012, 160008, 170004]),
    (date '2025-05-08', ARRAY[150013, 160009, 170005]),
    (date '2025-08-14', ARRAY[150014, 160010, 170006]),
    (date '2025-09-25', ARRAY[180000]),
    (date '2025-11-13', ARRAY[150015, 160011, 170007, 180001]),
    (date '2026-02-12', ARRAY[150016, 160012, 170008, 180002]),
    (date '2026-02-26', ARRAY[150017, 160013, 170009, 180003]),
    (date '2026-05-14', ARRAY[150018, 160014, 170010, 180004]),
    -- There was no 18.5.
    (date '2026-08-13', ARRAY[150019, 160015, 170011, 180006]),
    (date '2026-11-12', ARRAY[150020]),
    (date '2026-11-19', ARRAY[190000])
),

faulty (numbers, words) AS (
    VALUES
    (
        ARRAY[150009, 160005, 170001],
        'it breaks extensions that were built for the release before, and ignores a role set for a database or role'
    ),
    (
        ARRAY[150011, 160007, 170003],
        'libpq of this release refuses or misreads strings that it quotes with a given length'
    ),
    (
        ARRAY[150016, 160012, 170008, 180002],
        'substring() fails on stored text that is not ASCII, and a standby may stop at a multixact'
    )
),

newer AS (
    SELECT
        min(r.at) AS first,
        max(n.number) AS newest
    FROM releases AS r
    CROSS JOIN LATERAL pg_catalog.unnest(r.numbers) AS n (number)
    CROSS JOIN asked AS q
    WHERE n.number > q.number
        AND n.number / 10000 = q.number / 10000
),

-- Minor releases come on the second Thursday of February, May, August and November.
calendar AS (
    SELECT g.first::date + 7 + (11 - extract(ISODOW FROM g.first)::int) % 7 AS at
    FROM asked AS q
    CROSS JOIN
        LATERAL pg_catalog.generate_series(timestamp '2022-11-01', q.today::timestamp, INTERVAL '3 months') AS g (first)
),

due AS (
    SELECT
        min(c.at) AS first,
        max(c.at) AS at
    FROM asked AS q
    INNER JOIN majors AS k
        ON k.major = q.number / 10000
    INNER JOIN calendar AS c
        ON c.at > k.known
        AND c.at <= q.today
),

judged AS (
    SELECT
        q.number,
        q.today,
        coalesce(
            m.known,
            (
                SELECT max(k.known)
                FROM majors AS k
            )
        ) AS known,
        m.ends,
        n.first,
        d.at AS due,
        -- Two months are time enough for a wnadmin that knows of it.
        q.today - d.first > 60 AS is_stale,
        pg_catalog.format('%s.%s', q.number / 10000, q.number % 10000) AS runs,
        pg_catalog.format('%s.%s', n.newest / 10000, n.newest % 10000) AS newest,
        (
            SELECT f.words
            FROM faulty AS f
            WHERE q.number = ANY (f.numbers)
        ) AS fault
    FROM asked AS q
    CROSS JOIN newer AS n
    CROSS JOIN due AS d
    LEFT JOIN majors AS m
        ON m.major = q.number / 10000
)

SELECT
    'minor release' AS object,
    CASE
        WHEN j.first IS NOT NULL
            -- Half a year is room enough to install it; a release with a known fault has none.
            THEN (CASE WHEN j.fault IS NULL THEN 180 ELSE -1 END - (j.today - j.first))::numeric
    END AS measured,
    j.first::timestamp AT TIME ZONE 'UTC' AS since,
    CASE
        WHEN j.first IS NULL
            THEN pg_catalog.format(
                    '%s was the newest that was known on %s; by the calendar a newer one came on %s',
                    j.runs,
                    j.known,
                    j.due
                )
        ELSE pg_catalog.format(
                '%s runs; a newer one has been out for %s days, since %s; the newest known on %s is %s%s',
                j.runs,
                j.today - j.first,
                j.first,
                j.known,
                j.newest,
                '. A known fault: ' || j.fault
            )
    END AS detail,
    CASE
        WHEN j.first IS NULL THEN 'Compare with https://www.postgresql.org/support/versioning/; update wnadmin.'
        ELSE pg_catalog.format('Install PostgreSQL %s or newer and restart; the data stay as they are.', j.newest)
    END AS fix
FROM judged AS j
WHERE j.ends IS NOT NULL
    AND (j.first IS NOT NULL OR j.is_stale)
UNION ALL
SELECT
    'end of support',
    (j.ends - j.today)::numeric,
    NULL,
    CASE
        WHEN j.ends IS NULL
            THEN pg_catalog.format('%s is not among the releases that were known on %s', j.runs, j.known)
        ELSE pg_catalog.format(
                '%s: fixes come until %s; %s%s',
                j.runs,
                j.ends,
                CASE
                    WHEN j.first IS NULL THEN pg_catalog.format('no newer minor release was known on %s', j.known)
                    ELSE pg_catalog.format('%s is newer', j.newest)
                END,
                ', and by the calendar one came on ' || j.due
            )
    END,
    CASE
        WHEN j.ends IS NULL THEN 'Update wnadmin.'
        ELSE 'Plan the upgrade to a newer major: pg_upgrade, or dump and restore.'
    END
FROM judged AS j
ORDER BY measured;
