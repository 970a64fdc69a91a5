"""Whether a stored password verifier fits one of the passwords that everybody would try first."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Final

DOCUMENTED: Final = (
    "your_secure_password_here",
    "yourpassword",
    "dev_password",
    "secure_password_here",
    "changeme",
    "change_me",
    "password",
    "password1",
    "password123",
    "postgres",
    "wondernest",
    "secret",
    "admin",
    "123456",
    "12345678",
)
"""Passwords that stand in documents and examples, or that nobody should have to be told about."""

_SCRAM: Final = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def guessable(role: str, verifier: str) -> bool:
    """Whether ``verifier`` of ``pg_authid`` is that of the role's name or of a documented password."""
    return any(fits(verifier, role, candidate) for candidate in candidates(role))


def candidates(role: str) -> Iterator[str]:
    """Give the passwords to try for ``role``."""
    short = role.removeprefix("wondernest_")
    yield from (role, short, f"{role}_password", f"{short}_password", f"{role}123", f"{short}123")
    yield from DOCUMENTED


def fits(verifier: str, role: str, password: str) -> bool:
    """Whether ``password`` is the one behind ``verifier`` (SCRAM-SHA-256, MD5 or, in a broken cluster, clear)."""
    if match := _SCRAM.fullmatch(verifier):
        try:
            salt, stored = base64.b64decode(match[2]), base64.b64decode(match[3])
        except binascii.Error:
            return False
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, int(match[1]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        return hmac.compare_digest(hashlib.sha256(key).digest(), stored)
    if verifier.startswith("md5"):
        # PostgreSQL's own old form; it is compared here, not used.
        digest = hashlib.md5((password + role).encode(), usedforsecurity=False).hexdigest()
        return hmac.compare_digest(verifier, f"md5{digest}")
    return hmac.compare_digest(verifier.encode(), password.encode())
