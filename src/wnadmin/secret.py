"""The two kinds of value that must not travel like plain ones.

``Secret`` is masked wherever it is printed. ``Personal`` is shown to the operator who asked for it, bound
(never inlined) in statements, and replaced by a keyed pseudonym in the ledger, the spool and saved plans.
"""

from __future__ import annotations

from typing import Final, NoReturn

MASK: Final = "***"


class Secret:
    """A text that only :meth:`reveal` gives back; printing, formatting or pickling it does not."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the clear text; call it only where the text is handed to the driver or to a sink."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        # Loaded where it is needed: OpenSSL takes longer to load than most commands take to ask.
        import hmac

        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


class Personal:
    """A text about a person: shown, bound, but recorded only as its pseudonym."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def pseudonym(self, key: bytes) -> str:
        """Give ``personal:`` and the first 16 hex digits of HMAC-SHA-256 of the value under ``key``."""
        import hashlib
        import hmac

        digest = hmac.new(key, self.value.encode(), hashlib.sha256).hexdigest()
        return f"personal:{digest[:16]}"

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return "Personal(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and self.value == other.value

    def __hash__(self) -> int:
        return hash((Personal, self.value))
