-- A database with as many partitions as `:partitions` says, and twice as many indexes: a day a partition.
-- Ten tables share them, as no table of ours has thousands; each partition holds a few rows and has statistics.
-- It commits as it goes: one transaction would hold a lock on all of them.
DO $wide$
DECLARE
    v_each CONSTANT integer := :partitions / 10;
    v_first CONSTANT date := current_date - (v_each * 9 / 10);
    v_day date;
BEGIN
    CREATE SCHEMA wide;
    FOR v_table IN 1 .. 10 LOOP
        EXECUTE pg_catalog.format(
            'CREATE TABLE wide.measurements_%1$s ('
            ' id bigint NOT NULL, child_id bigint NOT NULL, measured_at timestamptz NOT NULL, minutes integer NOT NULL,'
            ' note text, PRIMARY KEY (id, measured_at)) PARTITION BY RANGE (measured_at);'
            ' CREATE INDEX measurements_%1$s_child ON wide.measurements_%1$s (child_id, measured_at)',
            v_table
        );
        COMMIT;
        FOR v_number IN 0 .. v_each - 1 LOOP
            v_day := v_first + v_number;
            EXECUTE pg_catalog.format(
                'CREATE TABLE wide.measurements_%1$s_%2$s PARTITION OF wide.measurements_%1$s'
                ' FOR VALUES FROM (%3$L) TO (%4$L)',
                v_table,
                pg_catalog.to_char(v_day, 'YYYYMMDD'),
                v_day,
                v_day + 1
            );
            IF v_number % 100 = 99 THEN
                COMMIT;
            END IF;
        END LOOP;
        COMMIT;
        EXECUTE pg_catalog.format(
            'INSERT INTO wide.measurements_%1$s (id, child_id, measured_at, minutes, note)'
            ' SELECT n.id, n.id %% 50, %2$L::date + (n.id %% %3$s)::integer + interval ''12 hours'', n.id %% 60, ''a note'''
            ' FROM pg_catalog.generate_series(1, 20 * %3$s) AS n (id)',
            v_table,
            v_first,
            v_each
        );
        COMMIT;
    END LOOP;
END
$wide$;
