"""What is kept to put things back: in the database's own settings, and in a copy in this user's state folder.

The setting is written in the transaction that makes the database read-only, so neither is ever there without the
other; it needs no table, survives a restart, is dumped by nobody and dropped with the database. The copy is for the
day on which somebody resets the database's settings by hand.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from wnadmin import settings
from wnadmin.domain.readonly.values import LEVELS, Kept, Level, Listed, Membership, Place, Privilege
from wnadmin.errors import Failed
from wnadmin.ledger import private
from wnadmin.results import Json

VERSION: Final = 1


def payload(kept: Kept) -> dict[str, Json]:
    """Give the form in JSON."""
    facts: dict[str, Any] = {**asdict(kept), "v": VERSION}
    # A key of JSON is never null: the database's own setting is the one without a role.
    facts["settings"] = [{"role": role, "value": value} for role, value in kept.before.items()]
    return facts


def dumps(kept: Kept) -> str:
    """Write it on one line."""
    return json.dumps(payload(kept), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def loads(text: str) -> Kept:
    """Read it; raises ValueError in words."""
    try:
        facts = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    return read(facts)


def read(facts: Any) -> Kept:
    """Read what :func:`payload` gave; raises ValueError in words."""
    if not isinstance(facts, Mapping) or facts.get("v") != VERSION:
        raise ValueError(f"it is not of version {VERSION}")
    try:
        if facts["level"] not in LEVELS:
            raise ValueError(f"its level is {facts['level']}")
        return Kept(
            str(facts["id"]),
            cast("Level", facts["level"]),
            str(facts["since"]),
            str(facts["by"]),
            str(facts["database"]),
            str(facts["system_identifier"]),
            int(facts["database_oid"]),
            tuple(str(one) for one in facts["exempt"]),
            {one["role"]: one["value"] for one in facts["settings"]},
            tuple(str(one) for one in facts["writers"]),
            tuple(Membership(**one) for one in facts["memberships"]),
            tuple(str(one) for one in facts["logins"]),
            tuple(_listed(one) for one in facts["lists"]),
            str(facts["until"]),
            bool(facts["leaving"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"something is missing in it: {error}") from None


def _listed(one: Mapping[str, Any]) -> Listed:
    return Listed(**{**one, "privileges": tuple(Privilege(**each) for each in one["privileges"])})


def same(one: Kept, other: Kept) -> bool:
    """Whether both would put the same things back."""
    return replace(one, leaving=False) == replace(other, leaving=False)


# --- the copy ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy as it was found: ``kept``, or ``wrong`` says in words why it cannot be used; neither: there is none."""

    path: Path
    kept: Kept | None = None
    wrong: str = ""


def path(place: Place, state: Path | None = None) -> Path:
    """Say where the copy for a database lies."""
    folder = (state or settings.state_dir()) / "readonly"
    return folder / f"{place.system_identifier}-{place.database_oid}.json"


def text(kept: Kept) -> str:
    """Give the copy's text: what is kept, and a sum over it by which a slip of an editor is seen."""
    inner = payload(kept)
    return json.dumps({"kept": inner, "sha256": _sum(inner)}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _sum(inner: Any) -> str:
    plain = json.dumps(inner, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def write(place: Place, kept: Kept) -> Path:
    """Write the copy to the disk, in place of an older one; Failed when it cannot be written."""
    where = path(place)
    draft = where.with_name(f".{where.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        private.folder(where.parent.parent)
        private.folder(where.parent)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            private.append(descriptor, text(kept).encode())
        finally:
            os.close(descriptor)
        draft.replace(where)
        private.sync_folder(where.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise Failed(
            f"cannot write {where}",
            why=f"{error.strerror}. It is the copy of what was before read-only mode.",
            next="Make the folder writable, or name another with WNADMIN_STATE.",
        ) from None
    return where


def find(place: Place) -> Copy:
    """Read the copy."""
    where = path(place)
    try:
        content = where.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Copy(where)
    except (OSError, UnicodeDecodeError) as error:
        return Copy(where, wrong=f"it cannot be read: {error}")
    try:
        facts = json.loads(content)
        kept = read(facts["kept"])
    except (ValueError, KeyError, TypeError) as error:
        return Copy(where, wrong=f"it was edited: {error}")
    if facts.get("sha256") != _sum(facts["kept"]):
        return Copy(where, wrong="it was edited: its sum is not that of its content")
    if (kept.system_identifier, kept.database_oid) != (place.system_identifier, place.database_oid):
        return Copy(where, wrong=f"it is about another database, {kept.database}")
    return Copy(where, kept)


def remove(place: Place) -> None:
    """Remove the copy, if there is one."""
    path(place).unlink(missing_ok=True)
