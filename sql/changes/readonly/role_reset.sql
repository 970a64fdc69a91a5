-- does: takes one role's default_transaction_read_only in the database away
-- privileges: CREATEROLE and ADMIN of the role, or superuser
-- since: 15
-- cost: one row of a catalog; sessions that are open already do not hear of it
ALTER ROLE :"role" IN DATABASE :"database" RESET default_transaction_read_only;
