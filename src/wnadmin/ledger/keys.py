"""Who vouches for an export, a seal, a restore: the signing key of this user, and the keys this user trusts.

The seed is ``ledger.key`` in the state folder, made at its first use and never shown. Public keys are one line each
in ``ledger-keys/ID.pub``, this user's own among them; to trust another operator is to copy that operator's line there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from wnadmin import settings
from wnadmin.errors import Refused
from wnadmin.ledger import canonical, ed25519, private
from wnadmin.results import Json

KEY_FILE: Final = "ledger.key"
FOLDER: Final = "ledger-keys"
_KIND: Final = "wnadmin-ledger-key ed25519"

Trust: TypeAlias = Literal["good", "bad", "unknown", "missing"]
"""``bad``: the text is not what was signed; ``unknown``: it is, by a key not trusted here; ``missing``: not signed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a signature is worth here. ``key`` is the id of its key, ``who`` its owner where the key is trusted.

    ``why`` and ``next`` are for the operator, '' for a good one.
    """

    trust: Trust
    key: str = ""
    who: str = ""
    why: str = ""
    next: str = ""

    @property
    def good(self) -> bool:
        """Whether a trusted key signed exactly this."""
        return self.trust == "good"


def sign(kind: str, facts: Mapping[str, object], state: Path | None = None) -> dict[str, Json]:
    """Sign the canonical JSON of ``facts`` as a ``kind``; gives key id, public key and signature.

    Raises Refused when the key cannot be read or made.
    """
    seed = _seed(state or settings.state_dir())
    public = ed25519.public_key(seed)
    value = ed25519.sign(seed, _message(kind, facts))
    return {"key": key_id(public), "public": _text(public), "value": _text(value)}


def judge(kind: str, facts: Mapping[str, object], signature: object, state: Path | None = None) -> Verdict:
    """Say what ``signature`` is worth: made by :func:`sign` of exactly these facts, by a key that is trusted here."""
    if not isinstance(signature, Mapping):
        return Verdict("missing", why="It is not signed.")
    try:
        public = base64.b64decode(str(signature["public"]), validate=True)
        value = base64.b64decode(str(signature["value"]), validate=True)
        message = _message(kind, facts)
    except (KeyError, TypeError, ValueError):
        return Verdict("bad", why="Its signature cannot be read.")
    name = key_id(public)
    if not ed25519.verify(public, message, value):
        return Verdict("bad", name, why="It is not what was signed: it was changed since.")
    folder = (state or settings.state_dir()) / FOLDER
    return _trusted(folder / f"{name}.pub", public, name)


def key_id(public: bytes) -> str:
    """Name a public key: 16 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()[:16]


def _trusted(path: Path, public: bytes, name: str) -> Verdict:
    remedy = f"Copy its owner's {FOLDER}/{name}.pub to {path}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            facts, text = os.fstat(descriptor), os.read(descriptor, 4096).decode(errors="replace")
        finally:
            os.close(descriptor)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = f"Key {name} is not trusted here" + ("." if missing else f": {path}: {error.strerror}.")
        return Verdict("unknown", name, why=why, next=remedy)
    if facts.st_uid not in (0, os.geteuid()) or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = f"Key {name} is not trusted here: others may write {path}."
        return Verdict("unknown", name, why=why, next=f"Compare it with its owner's, then: chmod go-w {path}")
    words = text.split()
    if " ".join(words[:2]) != _KIND or len(words) < 3 or words[2] != _text(public):
        return Verdict("unknown", name, why=f"Key {name} is not trusted here: {path} holds another.", next=remedy)
    return Verdict("good", name, " ".join(words[3:]))


def _message(kind: str, facts: Mapping[str, object]) -> bytes:
    # The kind keeps a signature of one thing from being shown as one of another.
    return f"wnadmin-ledger/{kind}/1\n{canonical.dumps(facts)}".encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _seed(state: Path) -> bytes:
    path = state / KEY_FILE
    try:
        if not path.exists():
            private.create(path, os.urandom(ed25519.SIZE).hex().encode() + b"\n")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            wrong = private.fault(os.fstat(descriptor))
            text = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
        if wrong:
            raise _unusable(path, wrong, f"Find out who changed it, then: chmod 600 {path}")
        try:
            seed = binascii.unhexlify(text.strip())
        except ValueError:
            seed = b""
        if len(seed) != ed25519.SIZE:
            raise _unusable(path, "it is damaged", "Restore it from a backup, or move it away to begin with a new one.")
        public = ed25519.public_key(seed)
        # Whoever verifies needs it, also when the seed is gone one day.
        own = state / FOLDER / f"{key_id(public)}.pub"
        if not own.exists():
            who = f"{private.os_user()}@{private.host()}"
            private.create(own, f"{_KIND} {_text(public)} {who}\n".encode())
    except OSError as error:
        remedy = "Make the folder writable, or name another with WNADMIN_STATE."
        raise _unusable(path, str(error.strerror), remedy) from None
    return seed


def _unusable(path: Path, why: str, remedy: str) -> Refused:
    return Refused("cannot sign for the ledger", why=f"The signing key {path}: {why}.", next=remedy)
