-- does: makes new sessions of one role in the database begin their transactions read-only (on), or not (off)
-- privileges: CREATEROLE and ADMIN of the role, or superuser
-- since: 15
-- cost: one row of a catalog; sessions that are open already do not hear of it
-- It beats what is set for the database and what is set for the role everywhere.
ALTER ROLE :"role" IN DATABASE :"database" SET default_transaction_read_only = :'value';
