"""Ed25519 signatures (RFC 8032), by the library ``cryptography``, which is loaded only when something is signed."""

from __future__ import annotations

from typing import Final

SIZE: Final = 32
"""Bytes of a seed and of a public key; a signature has twice as many."""


def public_key(seed: bytes) -> bytes:
    """Give the public key of a seed of 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """Sign ``message``; the same seed and message always give the same 64 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether the holder of the key of ``public`` signed ``message``; anything malformed is False."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
