"""Signatures: those of RFC 8032, and whom this user believes."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from wnadmin.errors import Refused
from wnadmin.ledger import ed25519, keys

# RFC 8032, section 7.1: seed, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc(seed: str, public: str, message: str, signature: str) -> None:
    key, text, known = bytes.fromhex(seed), bytes.fromhex(message), bytes.fromhex(signature)
    assert ed25519.public_key(key).hex() == public
    assert ed25519.sign(key, text) == known
    assert ed25519.verify(bytes.fromhex(public), text, known)
    assert not ed25519.verify(bytes.fromhex(public), text + b"x", known)


def test_nothing_malformed_verifies() -> None:
    public, signature = bytes.fromhex(VECTORS[1][1]), bytes.fromhex(VECTORS[1][3])
    message = bytes.fromhex(VECTORS[1][2])
    for bit in (0, 100, 255, 256, 300, 511):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not ed25519.verify(public, message, bytes(flipped))
    order = 2**252 + 27742317777372353535851937790883648493
    # The same answer, one order further: another text for a signature that stands.
    other = int.from_bytes(signature[32:], "little") + order
    assert not ed25519.verify(public, message, signature[:32] + other.to_bytes(32, "little"))
    assert not ed25519.verify(public[:-1], message, signature)
    assert not ed25519.verify(public, message, signature[:-1])
    for nowhere in (b"\xff" * 32, (2).to_bytes(32, "little"), (1 | 1 << 255).to_bytes(32, "little")):
        assert not ed25519.verify(nowhere, message, signature)
    with pytest.raises(ValueError, match="32 bytes"):
        ed25519.sign(b"short", message)


FACTS = {"from": 1, "through": 7, "name": "é"}


def test_who_signed_is_trusted_here_and_unknown_elsewhere(state: Path, tmp_path: Path) -> None:
    signature = keys.sign("seal", FACTS)
    verdict = keys.judge("seal", FACTS, signature)
    assert (verdict.trust, verdict.who.rpartition("@")[2]) == ("good", os.uname().nodename)
    assert stat.S_IMODE((state / "ledger.key").stat().st_mode) == 0o600
    assert keys.sign("seal", FACTS) == signature, "the key stays"
    elsewhere = tmp_path / "elsewhere"
    verdict = keys.judge("seal", FACTS, signature, elsewhere)
    own = elsewhere / "ledger-keys" / f"{signature['key']}.pub"
    assert (verdict.trust, verdict.why) == ("unknown", f"Key {signature['key']} is not trusted here.")
    assert verdict.next == f"Copy its owner's ledger-keys/{signature['key']}.pub to {own}"
    own.parent.mkdir(parents=True)
    shutil.copy(state / "ledger-keys" / own.name, own)
    assert keys.judge("seal", FACTS, signature, elsewhere).good
    own.chmod(0o666)
    assert keys.judge("seal", FACTS, signature, elsewhere).why == (
        f"Key {signature['key']} is not trusted here: others may write {own}."
    )
    own.chmod(0o644)
    own.write_text(own.read_text().replace("wnadmin-ledger-key", "some-key"))
    assert keys.judge("seal", FACTS, signature, elsewhere).trust == "unknown"


def test_what_was_not_signed_so(state: Path) -> None:
    signature = keys.sign("seal", FACTS)
    other = keys.sign("seal", {**FACTS, "through": 8})
    assert keys.judge("seal", {**FACTS, "through": 8}, signature).trust == "bad"
    assert keys.judge("export", FACTS, signature).trust == "bad", "one kind is not another"
    assert keys.judge("seal", FACTS, {**signature, "value": other["value"]}).trust == "bad"
    assert keys.judge("seal", FACTS, {**signature, "value": "no base64"}).trust == "bad"
    assert keys.judge("seal", FACTS, {"key": "1"}).trust == "bad"
    assert keys.judge("seal", FACTS, None).trust == "missing"


def test_without_its_seed_a_key_is_still_known(state: Path) -> None:
    signature = keys.sign("seal", FACTS)
    (state / "ledger.key").unlink()
    assert keys.judge("seal", FACTS, signature).good
    assert keys.sign("seal", FACTS)["key"] != signature["key"]
    assert len(list((state / "ledger-keys").iterdir())) == 2


def _gone(path: Path) -> Path:
    path.unlink()
    return path


DAMAGES: dict[str, Callable[[Path], object]] = {
    "it is damaged": lambda path: path.write_text("00\n"),
    "its mode is 0640 instead of 0600": lambda path: path.chmod(0o640),
    "Is a directory": lambda path: os.replace(path.parent / "ledger-keys", _gone(path)),
}


@pytest.mark.parametrize("why", DAMAGES)
def test_a_seed_that_cannot_be_used(state: Path, why: str) -> None:
    keys.sign("seal", FACTS)
    DAMAGES[why](state / "ledger.key")
    with pytest.raises(Refused) as caught:
        keys.sign("seal", FACTS)
    assert caught.value.what == "cannot sign for the ledger"
    assert caught.value.why.startswith(f"The signing key {state / 'ledger.key'}: ")
    assert why in caught.value.why
    assert caught.value.next
