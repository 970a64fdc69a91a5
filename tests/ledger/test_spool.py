"""The spool: a chain in a file that survives crashes, full disks and many writers, and tells what happened."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from wnadmin.domain import audit
from wnadmin.errors import Refused
from wnadmin.ledger import canonical, chain
from wnadmin.ledger import spool as module
from wnadmin.ledger.spool import Spool
from wnadmin.results import Finding


def add(spool: Spool, count: int = 1, payload: str = "") -> None:
    """Append entries as the recorder does."""
    for _ in range(count):
        op_id = uuid4()
        spool.append(op_id, "read", payload or canonical.dumps({"op_id": op_id, "phase": "read"}), {"why": "test"})


def findings(spool: Spool) -> dict[str, list[Finding]]:
    """What verification says of the spool, by the name of the check."""
    found: dict[str, list[Finding]] = {}
    for one in audit.verify(None, spool).findings:
        if one.id.startswith("spool."):
            found.setdefault(one.id, []).append(one)
    return found


def clean(spool: Spool) -> bool:
    """Whether verification finds nothing at all."""
    return all(one.severity == "ok" for several in findings(spool).values() for one in several)


def test_the_hash_is_the_documented_one(state: Path) -> None:
    spool = Spool(state)
    add(spool, 2)
    first, second = spool.entries()
    envelope = first.envelope.encode()
    parts = [b"wnadmin-ledger-v1\0", struct.pack(">q", 1), bytes(32), struct.pack(">q", len(envelope)), envelope]
    assert first.h == hashlib.sha256(b"".join(parts) + first.payload.encode()).digest()
    assert first.prev == bytes(32)
    assert second.prev == first.h
    assert [first.seq, second.seq] == [1, 2]
    assert first.circumstances()["why"] == "test"
    assert datetime_of(first) == first.ts


def datetime_of(entry: chain.Entry) -> object:
    """The time in the hashed part of an entry."""
    from datetime import datetime

    return datetime.fromisoformat(entry.circumstances()["ts"])


def test_files_are_for_this_user_alone(state: Path) -> None:
    old = os.umask(0)
    try:
        add(Spool(state))
    finally:
        os.umask(old)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / module.NAME).stat().st_mode) == 0o600


def test_an_empty_spool_is_clean(state: Path) -> None:
    assert clean(Spool(state))
    assert not state.exists()


WRITER = """
import sys, uuid
from pathlib import Path
from wnadmin.ledger import canonical
from wnadmin.ledger.spool import Spool
spool = Spool(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(200):
    op_id = uuid.uuid4()
    payload = canonical.dumps({"op_id": op_id, "phase": "read", "writer": sys.argv[2], "number": number})
    spool.append(op_id, "read", payload, {"why": "test"})
"""


def test_eight_writers_make_one_chain(state: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(state), str(one)], stdin=subprocess.PIPE, text=True)
        for one in range(8)
    ]
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.wait(120) for one in writers] == [0] * 8
    for one in writers:
        assert one.stdin is not None
        one.stdin.close()
    spool = Spool(state)
    entries = spool.entries()
    assert [one.seq for one in entries] == list(range(1, 1601))
    assert len({(one.facts()["writer"], one.facts()["number"]) for one in entries}) == 1600
    assert len({one.prev for one in entries}) == 1600
    assert clean(spool)


def test_an_append_reads_only_the_end(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(state)
    add(spool, 40, payload=canonical.dumps({"text": "x" * 30_000}))
    read = 0
    pread = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        nonlocal read
        data = pread(descriptor, length, offset)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", counted)
    add(spool)
    assert spool.path.stat().st_size > 1_000_000
    assert read <= 64 * 1024
    assert spool.entries()[-1].seq == 41
    assert clean(spool)


def test_an_entry_longer_than_what_is_read_at_once(state: Path) -> None:
    spool = Spool(state)
    add(spool, 2, payload=canonical.dumps({"text": "x" * 300_000}))
    add(spool, 2)
    assert [one.seq for one in spool.entries()] == [1, 2, 3, 4]
    assert clean(spool)


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_a_torn_tail_is_kept_and_named(state: Path, cut: int) -> None:
    spool = Spool(state)
    add(spool, 3)
    whole = spool.path.read_bytes()
    third = whole.rindex(b"\n", 0, -1) + 1
    torn = whole[third : len(whole) - 1 - cut]
    spool.path.write_bytes(whole[:third] + torn)

    (before,) = findings(spool)["spool.torn"]
    assert before.severity == "warn"
    assert before.object == f"offset {third}"
    assert f"{len(torn)} bytes" in before.detail

    add(spool, 2)
    assert [one.seq for one in spool.entries()] == [1, 2, 3, 4]
    assert torn in spool.path.read_bytes()
    (after,) = findings(spool)["spool.torn"]
    assert after.severity == "warn"
    assert "row 3 records" in after.detail
    assert all(one.severity == "ok" for one in findings(spool)["spool.link"])


def test_a_line_that_lost_only_its_end_of_line_is_an_entry(state: Path) -> None:
    spool = Spool(state)
    add(spool, 2)
    spool.path.write_bytes(spool.path.read_bytes()[:-1])
    add(spool)
    assert [one.seq for one in spool.entries()] == [1, 2, 3]
    assert clean(spool)


def test_a_file_that_is_torn_from_its_first_byte(state: Path) -> None:
    spool = Spool(state)
    add(spool)
    spool.path.write_bytes(spool.path.read_bytes()[:40])
    add(spool, 2)
    assert [one.seq for one in spool.entries()] == [1, 2]
    assert [one.severity for one in findings(spool)["spool.torn"]] == ["warn"]


def edit(spool: Spool, row: int, change: dict[str, object]) -> None:
    """Change one line of the file, its JSON still sound."""
    lines = spool.path.read_bytes().splitlines()
    lines[row - 1] = json.dumps({**json.loads(lines[row - 1]), **change}).encode()
    spool.path.write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        {"payload": '{"phase":"read"}'},
        {"envelope": "{}"},
        {"phase": "outcome"},
        {"op_id": str(UUID(int=7))},
        {"ts": "2020-01-01T00:00:00Z"},
    ],
)
def test_a_changed_row_is_named(state: Path, change: dict[str, object]) -> None:
    spool = Spool(state)
    add(spool, 5)
    edit(spool, 3, change)
    wrong = [one for one in findings(spool)["spool.link"] if one.severity == "critical"]
    assert [one.object for one in wrong] == ["row 3"]


def test_a_removed_row_is_named(state: Path) -> None:
    spool = Spool(state)
    add(spool, 5)
    lines = spool.path.read_bytes().splitlines(keepends=True)
    spool.path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert [one.object for one in findings(spool)["spool.gap"]] == ["row 3"]


def test_a_line_overwritten_with_rubbish_is_no_torn_write(state: Path) -> None:
    spool = Spool(state)
    add(spool, 3)
    lines = spool.path.read_bytes().splitlines(keepends=True)
    spool.path.write_bytes(b"".join([lines[0], b"#" * (len(lines[1]) - 1) + b"\n", lines[2]]))
    found = findings(spool)
    assert "spool.torn" not in found
    assert any("does not account" in one.detail for one in found["spool.link"])
    assert [one.object for one in found["spool.gap"]] == ["row 2"]


def test_a_last_line_overwritten_before_the_next_append_is_no_torn_write(state: Path) -> None:
    spool = Spool(state)
    add(spool, 2)
    lines = spool.path.read_bytes().splitlines(keepends=True)
    spool.path.write_bytes(lines[0] + b"#" * (len(lines[1]) - 1) + b"\n")
    add(spool)
    found = findings(spool)
    assert "spool.torn" not in found
    assert [one.severity for one in found["spool.link"]] == ["critical"]
    assert "was changed" in found["spool.link"][0].detail


FULL = """
import resource, sys, uuid
from pathlib import Path
from wnadmin.errors import Refused
from wnadmin.ledger.spool import Spool
spool = Spool(Path(sys.argv[1]))
size = spool.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
try:
    spool.append(uuid.uuid4(), "intent", '{"text":"' + "x" * 5000 + '"}', {"why": "test"})
except Refused as error:
    print(int(error.exit), error.what, error.why, error.next, sep="|")
"""


def test_a_full_disk_refuses_and_leaves_the_file_as_it_was(state: Path) -> None:
    spool = Spool(state)
    add(spool, 3)
    before = spool.path.read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, str(state)], capture_output=True, text=True, check=True)
    code, what, why, follow = done.stdout.strip().split("|")
    assert code == "4"
    assert what.startswith("cannot record the intent")
    assert "large" in why.lower()
    assert "WNADMIN_STATE" in follow
    assert spool.path.read_bytes() == before
    add(spool)
    assert spool.entries()[-1].seq == 4
    assert clean(spool)


READ_ONLY = """
import os, sys, uuid
from pathlib import Path
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
from wnadmin.errors import Refused
from wnadmin.ledger.spool import Spool
try:
    Spool(Path(sys.argv[1])).append(uuid.uuid4(), "intent", "{}", {})
except Refused as error:
    print(error.what, error.why, sep="|")
"""


def test_a_folder_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    from tests.support import scratch

    folder = scratch("readonly")
    try:
        folder.chmod(0o555)
        # Imported before the user changes, from a folder that nobody else may be able to enter.
        code = "import wnadmin.ledger.spool, wnadmin.ledger.canonical, wnadmin.errors, encodings.idna\n" + READ_ONLY
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder / "state")], capture_output=True, text=True, check=True
        )
    finally:
        folder.chmod(0o755)
        folder.rmdir()
    what, why = done.stdout.strip().split("|")
    assert what.startswith("cannot record the intent")
    assert why == "Permission denied."


def test_a_folder_that_others_may_write_in_is_refused(state: Path) -> None:
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(Refused, match="cannot record the intent") as caught:
        Spool(state).append(uuid4(), "intent", "{}", {})
    assert caught.value.next == f"chmod go-w {state}"


def test_a_link_is_not_followed(state: Path, tmp_path: Path) -> None:
    state.mkdir(mode=0o700)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch(mode=0o600)
    (state / module.NAME).symlink_to(elsewhere)
    with pytest.raises(Refused, match="cannot record the read"):
        add(Spool(state))
    assert elsewhere.read_bytes() == b""


def test_a_spool_that_others_can_read_is_refused_and_found(state: Path) -> None:
    spool = Spool(state)
    add(spool)
    spool.path.chmod(0o666)
    with pytest.raises(Refused, match="cannot record the read"):
        add(spool)
    (guard,) = findings(spool)["spool.guard"]
    assert "0666" in guard.detail
