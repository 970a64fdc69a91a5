"""What pgBackRest, Barman and WAL-G say they keep, each read through its JSON, in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wnadmin.domain.wal.tools import barman, pgbackrest, walg
from wnadmin.domain.wal.tools.ask import Limit
from wnadmin.domain.wal.tools.values import UNKNOWN, Found, Kept, Seen

__all__ = ["UNKNOWN", "Kept", "Seen", "read"]


def read(names: Sequence[str] = (), *, seconds: float = 20.0) -> list[Seen]:
    """Ask each of these tools that is on the PATH what it keeps; nothing is changed.

    ``names`` are the stanzas, servers or prefixes to ask for, all when empty. A name is missing only when no tool
    has it, and then each says so. ``seconds`` is what each tool may take in all; one that takes longer is ended.
    Never raises: what could not be read is the ``trouble`` of its tool.
    """
    wanted = list(dict.fromkeys(name for name in names if name))
    asked = [tool.look(wanted, Limit(seconds)) for tool in (pgbackrest, barman, walg)]
    found = [one for one in asked if one is not None]
    nowhere = [name for name in wanted if all(name in one.absent for one in found)]
    return [_with_absent(one, nowhere) for one in found]


def _with_absent(one: Found, names: Sequence[str]) -> Seen:
    words = [f"{name}: {one.absent[name]}" for name in names]
    return replace(one.seen, trouble="; ".join([*([one.seen.trouble] if one.seen.trouble else []), *words]))
