-- does: takes the database's own default_transaction_read_only away
-- privileges: owner of the database, or superuser; a session that itself may write
-- since: 15
-- cost: one row of a catalog; sessions that are open already do not hear of it
ALTER DATABASE :"database" RESET default_transaction_read_only;
