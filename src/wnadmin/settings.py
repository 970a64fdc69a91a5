"""Settings: the profiles of ``wnadmin.toml``, this user's folders, libpq's conventions.

The file is ``$WNADMIN_CONFIG``, else ``$XDG_CONFIG_HOME/wnadmin/wnadmin.toml`` (``~/.config`` when unset).
A file in the working directory is never read: a folder that an operator happens to stand in must not choose
the database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from wnadmin.errors import UsageError

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")
"""A set one of these means: the operator has chosen a server as for any libpq program."""

_PASSWORD = re.compile(r"\bpassword\s*=|://[^/@\s]*:[^/@\s]+@")

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "primary": str,
    "standbys": list,
    "pooler": str,
    "admin_database": str,
    "production": bool,
    "minimum_server": int,
    "lock_timeout": str,
    "statement_timeout": str,
    "thresholds": dict,
    "waivers": list,
    "backup_login": str,
    "backup_recipients": list,
}

_WAIVER: Mapping[str, type] = {"key": str, "owner": str, "reason": str, "expires": date}


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that somebody answers for until a day, that day included.

    ``key`` is a finding's waiver_key, or ends in ``*`` for all that begin so. What could not be seen is waived by
    its exact key only.
    """

    key: str
    owner: str
    reason: str
    expires: date

    def covers(self, key: str, *, blind: bool) -> bool:
        """Say whether this waiver is about the finding of that key."""
        if self.key.endswith("*") and not blind:
            return key.startswith(self.key[:-1])
        return key == self.key


@dataclass(frozen=True, slots=True)
class Profile:
    """One WonderNest installation. ``primary``, ``standbys`` and ``pooler`` are conninfo strings or URIs.

    ``minimum_server`` is the oldest PostgreSQL major accepted. Timeouts are PostgreSQL durations. pg_dump logs in as
    ``backup_login``, and a backup is encrypted to ``backup_recipients``: public keys of age, never a secret one.
    """

    name: str = ""
    primary: str = ""
    standbys: tuple[str, ...] = ()
    pooler: str = ""
    admin_database: str = "postgres"
    production: bool = False
    minimum_server: int = 15
    lock_timeout: str = "5s"
    statement_timeout: str = "10min"
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    backup_login: str = ""
    backup_recipients: tuple[str, ...] = ()


def config_path() -> Path:
    """Give the path of ``wnadmin.toml``, whether or not it exists."""
    if explicit := os.environ.get("WNADMIN_CONFIG"):
        return Path(explicit)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "wnadmin" / "wnadmin.toml"


def state_dir() -> Path:
    """Give this user's folder for spool and checkpoints (``$WNADMIN_STATE``, else the XDG state folder)."""
    if explicit := os.environ.get("WNADMIN_STATE"):
        return Path(explicit)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "wnadmin"


def load_profile(name: str | None) -> Profile:
    """Load the profile ``name``; without a name, ``default = "…"`` of the file, else an empty profile."""
    path = config_path()
    if not path.exists():
        if name is None and "WNADMIN_CONFIG" not in os.environ:
            return Profile()
        if name is None:
            raise UsageError(
                f"cannot read the settings {path}",
                why="WNADMIN_CONFIG names a file that does not exist.",
                next="Correct WNADMIN_CONFIG or unset it.",
            )
        raise UsageError(
            f"unknown profile {name}",
            why=f"There is no settings file {path}.",
            next=f"Write {path} with a table [profiles.{name}], or use --dsn.",
        )
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the settings {path}", why=str(error), next="Correct the file.") from None
    profiles = data.get("profiles", {})
    chosen = name if name is not None else data.get("default")
    if chosen is None:
        return Profile()
    if not isinstance(profiles, dict) or chosen not in profiles:
        known = sorted(profiles) if isinstance(profiles, dict) else []
        near = get_close_matches(str(chosen), known, n=1)
        raise UsageError(
            f"unknown profile {chosen}",
            why=f"{path} has: {', '.join(known) or 'no profiles'}.",
            next=f"Did you mean --profile {near[0]}?" if near else f"Add a table [profiles.{chosen}] to {path}.",
        )
    return _profile(str(chosen), profiles[chosen], path)


def _profile(name: str, table: Any, path: Path) -> Profile:
    where = f"[profiles.{name}] in {path}"
    if not isinstance(table, dict):
        raise UsageError(f"{where} is not a table", next="Write it as [profiles.NAME] followed by key = value lines.")
    for key, value in table.items():
        if key not in _KEYS:
            near = get_close_matches(key, list(_KEYS), n=1)
            raise UsageError(
                f"unknown key {key} in {where}",
                next=f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(_KEYS)}.",
            )
        if not isinstance(value, _KEYS[key]):
            raise UsageError(
                f"{key} in {where} has the wrong type",
                why=f"It is {value!r}.",
                next="See the README, section Profiles.",
            )
    for one in (table.get("primary", ""), *table.get("standbys", []), table.get("pooler", "")):
        if _PASSWORD.search(str(one)):
            raise UsageError(
                f"{where} holds a password",
                why="Settings files get copied and shown.",
                next="Put it in ~/.pgpass or a service file instead.",
            )
    known = dict(table)
    if "standbys" in known:
        known["standbys"] = tuple(str(one) for one in known["standbys"])
    if "backup_recipients" in known:
        known["backup_recipients"] = tuple(str(one) for one in known["backup_recipients"])
    if "waivers" in known:
        known["waivers"] = tuple(_waiver(one, where) for one in known["waivers"])
    return Profile(name=name, **known)


def _waiver(table: Any, where: str) -> Waiver:
    example = 'Write { key = "CHECK:OBJECT", owner = "…", reason = "…", expires = 2026-12-31 }.'
    if not isinstance(table, dict):
        raise UsageError(f"a waiver of {where} is not a table", next=example)
    for key, kind in _WAIVER.items():
        value = table.get(key)
        # A moment is a date to Python, and compares with none.
        if not isinstance(value, kind) or isinstance(value, datetime) or not value:
            raise UsageError(
                f"a waiver of {where} has no {key}" if value is None else f"{key} of a waiver of {where} is {value!r}",
                why="A waiver says what it excuses, who answers for it, why, and until which day.",
                next=example,
            )
    if unknown := sorted(set(table) - set(_WAIVER)):
        raise UsageError(f"unknown key {unknown[0]} in a waiver of {where}", next=example)
    if table["key"] == "*":
        raise UsageError(f"a waiver of {where} would excuse everything", next=example)
    return Waiver(**table)
