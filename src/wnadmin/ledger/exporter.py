"""Writing an export: under a name that begins with a dot until it is whole, proven on the way, and on the disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from wnadmin import __version__
from wnadmin.errors import Failed, Refused
from wnadmin.ledger import canonical, keys, private, stream
from wnadmin.ledger.chain import digest
from wnadmin.ledger.export import Export, Head, facts_of
from wnadmin.postgres.session import Session

_EVERY = 1000


def write(
    session: Session,
    folder: Path,
    head: Head,
    *,
    heard: Callable[[int], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
    state: Path | None = None,
) -> Export:
    """Stream the rows of ``head`` into ``folder`` and prove the chain on the way; memory does not grow with them.

    ``heard`` is told how many rows are written. Raises Failed where the chain does not hold, naming the row, when the
    file cannot be written or ``stopping`` says so, and Refused when the name is taken; no file is left then.
    """
    final = folder / head.name
    with _partial(final) as descriptor, open(descriptor, "wb", closefd=False, buffering=1 << 20) as file:
        whole = hashlib.sha256()

        def put(text: str) -> None:
            data = text.encode()
            whole.update(data)
            file.write(data)

        put(canonical.dumps({**facts_of(head), "made_at": datetime.now(UTC), "wnadmin": __version__}) + "\n")
        last = head.prev
        with session.transaction(read_only=True):
            session.run("SET LOCAL statement_timeout = 0")
            for count, (line, h) in enumerate(_lines(session, head), 1):
                put(line)
                last = h
                if not count % _EVERY:
                    heard(count)
                    if stopping():
                        raise Failed(f"stopped after {count:,} rows", why="It was interrupted.")
        end = {**facts_of(head), "h": last.hex(), "sha256": whole.hexdigest()}
        signature = keys.sign("export", end, state)
        file.write((canonical.dumps({"end": True, **end, "signature": signature}) + "\n").encode())
        file.flush()
        os.fsync(descriptor)
        _publish(_draft(final), final)
    return Export(final, head, last, whole.hexdigest(), keys.judge("export", end, signature, state))


def _lines(session: Session, head: Head) -> Iterator[tuple[str, bytes]]:
    """Give each row as its line and its hash; Failed where one is missing, or is not what its hash says."""
    seq, last = head.first - 1, head.prev
    second, text = -1, ""
    quoted = json.JSONEncoder(ensure_ascii=False).encode
    clock = stream.Clock()
    for row in stream.rows(session, head.first, head.through):
        number, micros, op_id, prev, h, phase, envelope, payload = row
        seq += 1
        if number != seq:
            raise _broken(seq, "is missing")
        if prev != last:
            raise _broken(seq, "does not follow from the row before it")
        if digest(seq, prev, envelope, payload) != h:
            raise _broken(seq, "was changed: its envelope and payload do not give its hash")
        if not (clock.agrees(micros, envelope) and stream.named(op_id, phase, payload)) and (
            wrong := stream.closely(seq, micros, op_id, phase, envelope, payload)
        ):
            raise _broken(seq, wrong.partition(f"row {seq} ")[2])
        last = h
        if micros // 1_000_000 != second:
            second = micros // 1_000_000
            text = stream.moment(second * 1_000_000).replace(tzinfo=None).isoformat()
        rest = micros % 1_000_000
        ident = op_id.hex()
        yield (
            f'{{"envelope":{quoted(envelope.decode())},"h":"{h.hex()}","op_id":"{ident[:8]}-{ident[8:12]}-{ident[12:16]}'
            f'-{ident[16:20]}-{ident[20:]}","payload":{quoted(payload.decode())},"phase":"{phase.decode()}",'
            f'"prev":"{prev.hex()}","seq":{seq},"ts":"{text}{f".{rest:06d}" if rest else ""}Z"}}\n',
            h,
        )
    if seq != head.through:
        raise _broken(seq + 1, "is missing")


def _broken(seq: int, what: str) -> Failed:
    return Failed(
        f"row {seq} of the ledger {what}",
        why="What does not hold is not exported: the file would say the same.",
        next="wnadmin audit verify",
    )


def _draft(final: Path) -> Path:
    return final.with_name(f".{final.name}.partial")


@contextlib.contextmanager
def _partial(final: Path) -> Iterator[int]:
    """Give an empty file of mode 0600, locked; it is gone afterwards unless it was published."""
    draft = _draft(final)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if final.exists():
            raise taken(final)
        descriptor = os.open(draft, flags, 0o600)
        try:
            _hold(descriptor, final)
            try:
                # What a killed run left is begun anew.
                os.ftruncate(descriptor, 0)
                yield descriptor
            finally:
                draft.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise Failed(
            f"cannot write {final}",
            why=f"{error.strerror or error}.",
            next="Free space there, or name another folder." if full else "Look at the folder's owner and mode.",
        ) from None


def _hold(descriptor: int, final: Path) -> None:
    busy = Refused(f"{final} is being written right now", why="Another process holds it.", next="Wait for it.")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy from None
    if not os.fstat(descriptor).st_nlink:
        # It was finished between opening and locking.
        raise busy


def _publish(draft: Path, final: Path) -> None:
    try:
        # A link refuses an existing name at the same moment at which it takes a free one.
        os.link(draft, final)
    except FileExistsError:
        raise taken(final) from None
    private.sync_folder(final.parent)


def tidy(final: Path) -> None:
    """Remove the second name that a run has left which was killed just after it gave the file its own."""
    draft = _draft(final)
    with contextlib.suppress(OSError):
        if draft.samefile(final):
            draft.unlink()


def taken(final: Path) -> Refused:
    """The error for a name that something else has."""
    return Refused(f"{final} exists already", why="An export is never overwritten.", next="Name another folder.")
