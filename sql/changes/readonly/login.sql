-- does: lets a role log in again
-- privileges: CREATEROLE and ADMIN of the role, or superuser
-- since: 15
-- cost: one row of a catalog
ALTER ROLE :"role" LOGIN;
