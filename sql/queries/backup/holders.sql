-- answers: Which copies still hold what was erased at "erased_at", and until when?
-- privileges: SELECT on audit.backups
-- since: 15
-- cost: reads the register, a row a copy
-- personal: no
-- A copy holds whoever was erased after its snapshot. One past its expiry holds them until somebody removes it.
SELECT
    b.kind,
    b.name,
    b.place,
    b.covers,
    b.snapshot_at,
    b.expires_at,
    b.expires_at < now() AS is_overdue,
    b.is_encrypted
FROM audit.backups AS b
WHERE b.removed_at IS NULL
    AND b.snapshot_at < :'erased_at'::timestamptz
ORDER BY
    b.expires_at DESC,
    b.place ASC;
