-- does: registers a copy of this database, with the day on which it expires
-- privileges: EXECUTE on audit.register_backup
-- since: 15
-- cost: one row
-- "covers" is the table it holds, empty for the whole database; "digest" the SHA-256 of its sidecar or manifest.
SELECT
    audit.register_backup(
        :'kind'::text,
        :'name'::text,
        :'place'::text,
        :'digest'::text,
        nullif(:'covers', '')::text,
        :'system_identifier'::text,
        :'snapshot_at'::timestamptz,
        :'snapshot_lsn'::pg_lsn,
        :'bytes'::bigint,
        :'is_encrypted'::boolean,
        :'expires_at'::timestamptz
    );
