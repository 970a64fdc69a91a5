-- does: makes new sessions of the database begin their transactions read-only (on), or not (off)
-- privileges: owner of the database, or superuser
-- since: 15
-- cost: one row of a catalog; sessions that are open already do not hear of it
ALTER DATABASE :"database" SET default_transaction_read_only = :'value';
