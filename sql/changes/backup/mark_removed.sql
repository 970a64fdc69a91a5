-- does: notes in the register of backups that a copy was removed
-- privileges: EXECUTE on audit.mark_backup_removed
-- since: 15
-- cost: one row by its key
SELECT audit.mark_backup_removed(:'digest'::text, :'place'::text);
