"""Canonical JSON: one value has one text, so that a hash over the text stands for the value.

Keys are sorted by code point, there are no blanks and no floats, times are RFC 3339 in UTC. The text is stored
and hashed as it is and never made again from a parsed form: jsonb or another printer would change it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from wnadmin import settings
from wnadmin.errors import Refused
from wnadmin.ledger import private
from wnadmin.results import Json
from wnadmin.secret import MASK, Personal, Secret

KEY_FILE = "pseudonym.key"
_KEY_BYTES = 32
_SURROGATE = re.compile("[\ud800-\udfff]")

Pseudonym: TypeAlias = Callable[[Personal], str]
"""What a Personal value becomes in a record."""


def dumps(value: object, pseudonym: Pseudonym | None = None) -> str:
    """Give the canonical JSON of ``value``.

    Secret becomes ``***``, Personal what ``pseudonym`` makes of it (default: the keyed one of this user),
    datetime ``2026-01-31T12:00:00Z`` (with six digits of a second when they are not zero), date, UUID, Decimal,
    path and enum members their text, timedelta ISO 8601 seconds (``PT1.5S``). Raises TypeError for a float, a
    naive datetime, a key that is no text, and any other type; Refused when the pseudonym key cannot be used.
    """
    plain = simplify(value, pseudonym or keyed)
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # Arguments that are not UTF-8 reach Python as lone surrogates, which no UTF-8 text can hold.
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def simplify(value: object, pseudonym: Pseudonym) -> Json:
    """Reduce ``value`` to what JSON has, as :func:`dumps` does."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return simplify(value.value, pseudonym)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        raise TypeError(f"a float has no one text: {value!r}; record an integer in a smaller unit or a text")
    if isinstance(value, Mapping):
        return _mapping(value, pseudonym)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [simplify(one, pseudonym) for one in value]
    return _text(value, pseudonym)


def _mapping(value: Mapping[object, object], pseudonym: Pseudonym) -> dict[str, Json]:
    plain: dict[str, Json] = {}
    for key, one in value.items():
        if not isinstance(key, str):
            raise TypeError(f"a key of canonical JSON is a text, not {type(key).__name__}")
        plain[str(key)] = simplify(one, pseudonym)
    return plain


def _text(value: object, pseudonym: Pseudonym) -> str:
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Personal):
        return pseudonym(value)
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds, rest = divmod(value // timedelta(microseconds=1), 1_000_000)
        if seconds < 0 and rest:
            seconds, rest = seconds + 1, 1_000_000 - rest
            return f"PT-{-seconds}.{rest:06d}S"
        return f"PT{seconds}.{rest:06d}S" if rest else f"PT{seconds}S"
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"canonical JSON has no form for {type(value).__name__}")


def timestamp(value: datetime) -> str:
    """Give RFC 3339 in UTC with a ``Z``; a naive time is a TypeError."""
    if value.tzinfo is None:
        raise TypeError("a time without a zone cannot be recorded")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def keyed(value: Personal) -> str:
    """Give the pseudonym of ``value`` under this user's key; Refused when the key cannot be used."""
    return value.pseudonym(pseudonym_key(settings.state_dir()))


def masked(value: Personal) -> str:
    """Give one text for every Personal value, for a record that must not fail when the key does."""
    return f"personal:{MASK}"


def pseudonym_key(state: Path) -> bytes:
    """Give the key of the folder ``state``, made at its first use; Refused when it cannot be read or made.

    The same value has the same pseudonym for as long as the file lives; destroying it severs all of them.
    """
    path = state / KEY_FILE
    try:
        if not path.exists():
            private.create(path, os.urandom(_KEY_BYTES).hex().encode() + b"\n")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            wrong = private.fault(os.fstat(descriptor))
            text = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Refused(
            "cannot record personal values",
            why=f"The pseudonym key {path}: {error.strerror}.",
            next="Make the folder writable, or name another with WNADMIN_STATE.",
        ) from None
    if wrong:
        raise Refused(
            "cannot record personal values",
            why=f"The pseudonym key {path}: {wrong}.",
            next=f"Find out who changed it, then: chmod 600 {path}",
        )
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise Refused(
            "cannot record personal values",
            why=f"The pseudonym key {path} is damaged.",
            next="Restore it from a backup, or move it away to begin with a new one.",
        )
    return key
