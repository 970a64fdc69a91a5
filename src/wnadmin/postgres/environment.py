"""A target as the environment of any libpq program: what to export so that psql goes where wnadmin goes."""

from __future__ import annotations

from psycopg.pq import Conninfo

from wnadmin.postgres.target import Target


def of(target: Target) -> dict[str, str]:
    """Give the PG* variables of a target, by name; never a password.

    libpq itself says which variable stands for which parameter; the few that have none are left out.
    """
    names = {one.keyword.decode(): one.envvar.decode() for one in Conninfo.get_defaults() if one.envvar}
    wanted = {key: value for key, value in target.parameters.items() if key in names and key != "password"}
    return {names[key]: str(wanted[key]) for key in names if key in wanted}
