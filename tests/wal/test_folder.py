"""What an archive folder holds: holes, timelines, how far base backups reach. Small segments of made-up content."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wnadmin.domain.wal import folder
from wnadmin.domain.wal.folder import STAMP, Folder
from wnadmin.domain.wal.names import Segment

SIZE = 1 << 20
SYSTEM = 77
BEGAN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Shelf:
    """Writes an archive; the file of segment n is of n minutes past nine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / STAMP).write_text(f"{SYSTEM}\n")

    def write(self, name: str, content: bytes, minute: int = 0) -> None:
        path = self.path / name
        path.write_bytes(content)
        at = (BEGAN + timedelta(minutes=minute)).timestamp()
        os.utime(path, (at, at))

    def segments(self, timeline: int, first: int, last: int, *, system: int = SYSTEM, ending: str = "") -> None:
        for number in range(first, last + 1):
            head = bytes(24) + system.to_bytes(8, "little", signed=True)
            name = Segment(timeline, number).name(SIZE) + ending
            path = self.path / name
            self.write(name, head, number)
            if ending != ".gz":
                os.truncate(path, SIZE)
                at = (BEGAN + timedelta(minutes=number)).timestamp()
                os.utime(path, (at, at))

    def history(self, timeline: int, *switches: tuple[int, int], minute: int = 0) -> None:
        """Each switch is a timeline and the segment in the middle of which it was left."""
        text = "".join(f"{one}\t0/{at * SIZE + SIZE // 2:X}\tno recovery target\n" for one, at in switches)
        self.write(f"{timeline:08X}.history", text.encode(), minute)

    def label(self, timeline: int, first: int, last: int) -> None:
        name, end = Segment(timeline, first).name(SIZE), Segment(timeline, last).name(SIZE)
        text = (
            f"START WAL LOCATION: 0/{first * SIZE + 40:X} (file {name})\n"
            f"STOP WAL LOCATION: 0/{last * SIZE + 344:X} (file {end})\n"
            f"LABEL: of {first}\nSTART TIMELINE: {timeline}\nSTOP TIME: 2026-11-22 09:{last:02d}:00 UTC\n"
        )
        self.write(f"{name}.00000028.backup", text.encode(), last)

    def read(self) -> Folder:
        return folder.read(self.path, SIZE, str(SYSTEM))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def holes(found: Folder) -> list[tuple[int, int, int]]:
    return [(first.timeline, first.number, last.number) for first, last in found.gaps()]


def reach(found: Folder, number: int = 0) -> tuple[tuple[int, int] | None, int | None]:
    """Where a base backup leads to, as timeline and segment, and the number of the segment where a hole ends it."""
    one = found.reach(found.bases[number])
    return (one.to.timeline, one.to.number) if one.to else None, one.gap.number if one.gap else None


def test_an_empty_folder(tmp_path: Path) -> None:
    found = folder.read(tmp_path, SIZE)
    assert (found.owner, found.timelines, found.bases, list(found.gaps()), found.newest) == ("", (), (), [], None)


def test_no_hole(shelf: Shelf) -> None:
    shelf.segments(1, 3, 9)
    shelf.label(1, 4, 5)
    found = shelf.read()
    assert (found.owner, found.bytes > 7 * SIZE) == (str(SYSTEM), True)
    assert [(one.number, one.segments, one.missing, one.before) for one in found.timelines] == [(1, 7, 0, ())]
    assert holes(found) == []
    assert reach(found) == ((1, 9), None)
    assert found.reach(found.bases[0]).until == BEGAN + timedelta(minutes=9)


def test_a_hole_ends_the_way(shelf: Shelf) -> None:
    shelf.segments(1, 3, 6)
    shelf.segments(1, 9, 12)
    shelf.label(1, 4, 5)
    shelf.label(1, 9, 10)
    found = shelf.read()
    assert holes(found) == [(1, 7, 8)]
    assert reach(found, 0) == ((1, 6), 7)
    assert reach(found, 1) == ((1, 12), None)


def test_a_base_backup_whose_own_wal_is_not_whole(shelf: Shelf) -> None:
    shelf.segments(1, 4, 5)
    shelf.segments(1, 7, 9)
    shelf.label(1, 4, 6)
    assert reach(shelf.read()) == (None, 6)


def test_a_base_backup_whose_wal_has_not_come_yet(shelf: Shelf) -> None:
    shelf.segments(1, 1, 3)
    shelf.label(1, 4, 4)
    assert reach(shelf.read()) == (None, None)


def test_a_timeline_that_follows(shelf: Shelf) -> None:
    """Segment 6 of the first one is copied into the first of the second, and is not missed."""
    shelf.segments(1, 3, 5)
    shelf.history(2, (1, 6))
    shelf.segments(2, 6, 9)
    shelf.label(1, 4, 5)
    found = shelf.read()
    assert holes(found) == []
    assert reach(found) == ((2, 9), None)


def test_a_branch_that_was_left_is_no_hole(shelf: Shelf) -> None:
    shelf.segments(1, 3, 8)
    shelf.segments(1, 11, 12)
    shelf.history(2, (1, 6))
    shelf.segments(2, 6, 7)
    shelf.label(1, 4, 5)
    # This one is of the branch that was left, and goes on there.
    shelf.label(1, 7, 8)
    found = shelf.read()
    assert holes(found) == []
    assert reach(found, 0) == ((2, 7), None)
    assert reach(found, 1) == ((1, 8), 9)


def test_the_joint_of_two_timelines(shelf: Shelf) -> None:
    shelf.segments(1, 3, 4)
    shelf.history(2, (1, 7))
    shelf.segments(2, 9, 10)
    shelf.label(1, 3, 3)
    found = shelf.read()
    assert holes(found) == [(1, 5, 6), (2, 7, 8)]
    assert reach(found) == ((1, 4), 5)


def test_three_timelines_two_of_them_left_in_one_segment(shelf: Shelf) -> None:
    shelf.segments(1, 3, 5)
    shelf.history(2, (1, 6))
    shelf.history(3, (1, 6), (2, 6))
    shelf.segments(3, 6, 8)
    shelf.label(1, 3, 4)
    found = shelf.read()
    assert holes(found) == []
    assert reach(found) == ((3, 8), None)


def test_a_history_that_is_missing(shelf: Shelf) -> None:
    """Nobody knows where the second timeline begins: what is on it is not reached."""
    shelf.segments(1, 3, 6)
    shelf.segments(2, 6, 9)
    shelf.label(1, 4, 4)
    found = shelf.read()
    assert [one.before for one in found.timelines] == [(), None]
    assert reach(found) == ((1, 6), None)


def test_a_damaged_history(shelf: Shelf) -> None:
    shelf.segments(2, 6, 9)
    shelf.write("00000002.history", b"\xff\xfe nonsense")
    found = shelf.read()
    assert found.damaged == ("00000002.history",)
    assert found.timelines[0].before is None


def test_partial_segments(shelf: Shelf) -> None:
    shelf.segments(1, 3, 5)
    shelf.segments(1, 6, 6, ending=".partial")
    shelf.segments(1, 9, 9, ending=".partial")
    shelf.history(2, (1, 6))
    shelf.segments(2, 6, 7)
    found = shelf.read()
    assert found.needless == ("000000010000000000000006.partial",)
    assert found.partials == ("000000010000000000000009.partial",)


def test_what_is_not_whole_is_not_there(shelf: Shelf) -> None:
    shelf.segments(1, 3, 5)
    os.truncate(shelf.path / Segment(1, 4).name(SIZE), 1000)
    found = shelf.read()
    assert found.short == ("000000010000000000000004",)
    assert holes(found) == [(1, 4, 4)]


def test_another_servers_segments(shelf: Shelf) -> None:
    shelf.segments(1, 3, 5)
    shelf.segments(1, 6, 6, system=78)
    assert shelf.read().foreign == ("000000010000000000000006 is of the server 78",)
    assert folder.read(shelf.path, SIZE).foreign == (), "without a server there is nothing to compare with"


def test_packed_segments_count(shelf: Shelf) -> None:
    shelf.segments(1, 3, 4, ending=".gz")
    shelf.segments(1, 5, 6)
    found = shelf.read()
    assert (holes(found), found.short, found.foreign) == ([], (), ())
    assert found.timelines[0].segments == 4


def test_what_else_lies_there(shelf: Shelf) -> None:
    shelf.segments(1, 3, 3)
    shelf.write(".000000010000000000000004.4711.part", b"half")
    shelf.write("notes.txt", b"")
    shelf.write("000000010000000000000009.00000028.backup", b"LABEL: no more of it")
    (shelf.path / "old").mkdir()
    (shelf.path / Segment(1, 4).name(SIZE)).symlink_to(shelf.path / Segment(1, 3).name(SIZE))
    found = shelf.read()
    assert found.leftovers == (".000000010000000000000004.4711.part",)
    assert found.damaged == ("000000010000000000000009.00000028.backup",)
    assert found.strange == 1
    assert found.timelines[0].segments == 1


def test_when_a_base_backup_had_ended(shelf: Shelf) -> None:
    """Its label knows the second only; it was archived within that, or later."""
    shelf.segments(1, 3, 5)
    shelf.label(1, 4, 5)
    (one,) = shelf.read().bases
    assert one.finished == BEGAN + timedelta(minutes=5)
    late = (BEGAN + timedelta(minutes=30)).timestamp()
    os.utime(shelf.path / one.file, (late, late))
    (one,) = shelf.read().bases
    assert one.finished == BEGAN + timedelta(minutes=5, seconds=1)


def test_a_pipe_in_place_of_the_stamp(shelf: Shelf) -> None:
    """A look never waits for somebody to write."""
    (shelf.path / STAMP).unlink()
    os.mkfifo(shelf.path / STAMP)
    assert shelf.read().owner == ""


def test_a_folder_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(folder, "read", lambda *_: answered.wait(60))
    with pytest.raises(TimeoutError, match=r"No answer within 0\.05 s"):
        folder.within(0.05, tmp_path, SIZE, "")
    answered.set()


def test_a_folder_that_answers_in_time(shelf: Shelf, tmp_path: Path) -> None:
    shelf.segments(1, 3, 4)
    assert folder.within(60, shelf.path, SIZE, "").timelines[0].segments == 2
    with pytest.raises(FileNotFoundError):
        folder.within(60, tmp_path / "nowhere", SIZE, "")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        folder.read(tmp_path / "nowhere", SIZE)
