-- does: lets a role log in no more, in the whole cluster; its open sessions stay
-- privileges: CREATEROLE and ADMIN of the role, or superuser
-- since: 15
-- cost: one row of a catalog
ALTER ROLE :"role" NOLOGIN;
