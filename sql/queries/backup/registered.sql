-- answers: Which copies of this database are registered and not removed?
-- privileges: SELECT on audit.backups
-- since: 15
-- cost: reads the register, a row a copy
-- personal: no
SELECT
    b.kind,
    b.name,
    b.place,
    b.digest,
    b.covers,
    b.system_identifier,
    b.snapshot_at,
    b.snapshot_lsn::text AS snapshot_lsn,
    b.bytes,
    b.is_encrypted,
    b.expires_at
FROM audit.backups AS b
WHERE b.removed_at IS NULL
ORDER BY
    b.snapshot_at DESC,
    b.place ASC;
