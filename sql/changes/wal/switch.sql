-- does: writes a short message into the WAL and closes the segment with it, so that it can be archived
-- privileges: EXECUTE on pg_switch_wal(), which a superuser has
-- since: 15
-- cost: the rest of the segment is filled with nothing, 16 MiB unless the cluster was made with another size
-- Without the message a segment in which nothing was written since the last switch would not be closed.
SELECT
    m.at::text AS written,
    pg_catalog.pg_switch_wal()::text AS closed
FROM pg_catalog.pg_logical_emit_message(FALSE, 'wnadmin', 'archive probe') AS m (at);
