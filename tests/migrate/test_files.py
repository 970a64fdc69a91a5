"""Migration files: how they are found, what their header says, what they must not hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.migrate.support import EXAMPLE, write
from wnadmin.domain.migrate import rules, squawk
from wnadmin.domain.migrate.places import bundled
from wnadmin.domain.setup import flyway, migrations
from wnadmin.domain.setup.migrations import Migration, find, header
from wnadmin.errors import Failed, UsageError

WORKED = (
    "CREATE SCHEMA core;\nCREATE SCHEMA audit;\n"
    "CREATE TABLE core.users (id bigint PRIMARY KEY, email text NOT NULL);\n\n"
    "CREATE TABLE audit.activity_log (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);\n"
)
SINGLE = "alter table location_history add column valid_until timestamp with time zone;"


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (WORKED.encode(), -1798328393),
        (SINGLE.encode(), -1039259818),
        (SINGLE.encode() + b"\r\n", -1039259818),
        (b"\xef\xbb\xbf" + SINGLE.encode(), -1039259818),
        (b"", 0),
        (b"\n\n", 0),
    ],
)
def test_a_file_has_flyways_checksum(folder: Path, data: bytes, checksum: int) -> None:
    (folder / "V9__x.sql").write_bytes(data)
    assert find([folder]).migrations[0].checksum == checksum


def test_files_are_found_below_and_in_order(folder: Path) -> None:
    for name in ("V10__b.sql", "2026/V9__a.sql", "R__z.sql", "sub/R__y.sql"):
        write(folder, name, "SELECT 1;")
    (folder / "notes.sql").write_text("SELECT 1;")
    (folder / "V11__c.txt").write_text("SELECT 1;")
    assert [one.script for one in find([folder]).migrations] == [
        "2026/V9__a.sql",
        "V10__b.sql",
        "sub/R__y.sql",
        "R__z.sql",
    ]


def test_what_is_not_taken_is_told(folder: Path) -> None:
    for name in ("V2_x.sql", "V__y.sql", "U2__undo.sql", "B3__base.sql", "Readme.sql", "Views.sql"):
        (folder / name).write_text("SELECT 1;")
    ignored = find([folder]).ignored
    assert sorted(one.partition(":")[0] for one in ignored) == [
        "B3__base.sql",
        "Readme.sql",
        "U2__undo.sql",
        "V2_x.sql",
        "V__y.sql",
        "Views.sql",
    ]


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("V2__a.sql", "V002__b.sql", "the version"),
        ("V2__a.sql", "sub/V2__a.sql", "the version"),
        ("R__a.sql", "sub/R__a.sql", "the description 'a'"),
    ],
)
def test_two_of_one_name(folder: Path, one: str, other: str, what: str) -> None:
    write(folder, one, "SELECT 1;")
    write(folder, other, "SELECT 2;")
    with pytest.raises(UsageError, match=what) as caught:
        find([folder])
    assert one.rpartition("/")[2] in caught.value.why


def test_the_same_file_in_two_locations_is_one(folder: Path) -> None:
    (folder / "V001__initial_schema.sql").write_bytes((bundled() / "V001__initial_schema.sql").read_bytes())
    assert len(find([bundled(), folder]).migrations) == 1
    (folder / "V001__initial_schema.sql").write_text("SELECT 1;")
    with pytest.raises(UsageError, match="the version 001"):
        find([bundled(), folder])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("v3__a.sql", "written large"),
        ("r__a.sql", "written large"),
        ("V003__a.SQL", "written large"),
        ("beforeMigrate.sql", "as a callback"),
        ("afterMigrate__grants.sql", "as a callback"),
        ("createSchema.sql", "as a callback"),
        ("V003__a.sql.conf", "reads the file's header"),
    ],
)
def test_what_flyway_takes_otherwise_or_nobody_takes_is_told(folder: Path, name: str, says: str) -> None:
    (folder / name).write_text("SELECT 1;")
    seen = find([folder])
    assert seen.migrations == ()
    (one,) = seen.ignored
    assert one.startswith(f"{name}: ")
    assert says in one


def test_what_is_no_file_is_told_and_a_lost_link_stops(folder: Path) -> None:
    (folder / "V002__folder.sql").mkdir()
    os.mkfifo(folder / "V003__pipe.sql")
    write(folder, "V002__folder.sql/V004__inside.sql", "SELECT 1;")
    seen = find([folder])
    assert [one.script for one in seen.migrations] == ["V002__folder.sql/V004__inside.sql"]
    assert seen.ignored == ("V002__folder.sql: this is no regular file", "V003__pipe.sql: this is no regular file")
    (folder / "V005__lost.sql").symlink_to("nowhere")
    with pytest.raises(Failed, match=r"cannot read .*V005__lost\.sql") as caught:
        find([folder])
    assert caught.value.next


def test_folders_behind_links_are_looked_into_once(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "V002__a.sql", "SELECT 1;")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "linked" / "again").symlink_to(folder)
    (folder / "self").symlink_to(folder)
    assert [one.script for one in find([folder]).migrations] == ["linked/V002__a.sql"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"V002__\xff.sql", "not UTF-8"),
        (b"V002__a\nb.sql", "cannot be printed"),
        (b"V002__a\x1b[31m.sql", "cannot be printed"),
        (b"V" + b"1" * 51 + b"__a.sql", "more than the 50"),
    ],
)
def test_a_name_that_no_history_can_hold(folder: Path, name: bytes, why: str) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("SELECT 1;")
    with pytest.raises(UsageError, match="cannot be the name of a migration") as caught:
        find([folder])
    assert why in caught.value.why
    assert caught.value.what.isascii()


def test_the_words_that_name_the_folders(tmp_path: Path) -> None:
    odd = tmp_path / "a folder"
    odd.mkdir()
    assert find([bundled()]).options == ""
    assert find([bundled(), odd]).options == f" --location '{odd}'"


def test_what_is_no_folder_and_no_text(folder: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        find([folder / "none"])
    (folder / "V2__x.sql").write_bytes(b"SELECT 1;\nSELECT '\xff';")
    with pytest.raises(UsageError, match=r"V2__x.sql:2: not UTF-8"):
        find([folder])


def test_the_header_of_the_example() -> None:
    (one,) = find([EXAMPLE]).migrations
    assert one.title == "002 add feature"
    assert one.in_transaction
    assert not one.as_superuser
    assert one.header.rollback == (
        "DROP INDEX family.idx_child_profiles_new_field;\nALTER TABLE family.child_profiles DROP COLUMN new_field;"
    )


def test_header_forms() -> None:
    assert header("-- rollback: DROP TABLE x;\nSELECT 1;").rollback == "DROP TABLE x;"
    deep = header(
        "-- x\n-- Transaction: NO\n-- rollback:\n--   DO $$\n--     BEGIN END\n--   $$;\n-- more\n\nSELECT 1;"
    )
    assert (deep.transaction, deep.rollback) == ("NO", "DO $$\n  BEGIN END\n$$;")
    none = header("-- rollback: none: the rows\n--     are gone\n")
    assert (none.rollback, none.irreversible) == ("", "the rows are gone")
    assert header("SELECT 1;\n-- rollback: DROP TABLE x;") == migrations.Header()
    assert header("-- a\r\n-- rollback: SELECT 1;\r\n").rollback == "SELECT 1;"


def migration(text: str, name: str = "V2__x.sql") -> Migration:
    return Migration(flyway.parse_name(name), Path(name), text, 0, header(text))


BACK = "-- rollback: SELECT 1;\nSET LOCAL lock_timeout = '2s';\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{BACK}SELECT 1;", []),
        ("SELECT 1;", ["lock-timeout", "rollback"]),
        ("-- rollback:\nSET lock_timeout = 1;\nSELECT 1;", ["rollback"]),
        ("-- rollback: none:\nSET lock_timeout = 1;\nSELECT 1;", ["rollback"]),
        ("-- rollback: none: nothing is lost\nSET lock_timeout = 1;\nSELECT 1;", []),
        ("-- rollback: COMMIT;\nSET lock_timeout = 1;\nSELECT 1;", ["rollback"]),
        ("-- rollback: VACUUM;\nSET lock_timeout = 1;\nSELECT 1;", ["rollback"]),
        (f"{BACK}\\i other.sql", ["psql"]),
        (f"{BACK}SELECT '${{x}}';", ["placeholder"]),
        (f"{BACK}BEGIN;\nCOMMIT;", ["transaction", "transaction"]),
        (f"{BACK}VACUUM;", ["not-in-transaction"]),
        (f"{BACK}CREATE INDEX CONCURRENTLY i ON t (a);", ["not-in-transaction"]),
        (f"-- transaction: no\n{BACK}CREATE INDEX CONCURRENTLY i ON t (a);", []),
        (f"-- transaction: no\n{BACK}CREATE TABLE t (a int);", ["mixed"]),
        (f"-- transaction: no\n{BACK}VACUUM;\nVACUUM;", ["one-statement"]),
        (f"-- transaction: no\n{BACK}", ["mixed"]),
        (f"-- transaction: perhaps\n{BACK}SELECT 1;", ["header"]),
        (f"-- role: me\n{BACK}SELECT 1;", ["header"]),
        (BACK, ["empty"]),
        (f"{BACK}-- only a remark\n;", ["empty"]),
        (f"{BACK}RESET ROLE;\nSELECT 1;", ["role"]),
        (f"{BACK}SET LOCAL ROLE postgres;\nSELECT 1;", ["role"]),
        (f"{BACK}SET SESSION AUTHORIZATION postgres;\nSELECT 1;", ["role"]),
        (f"-- role: superuser\n{BACK}SET LOCAL ROLE x;\nSELECT 1;", []),
        (f"{BACK}ALTER ROLE x LOGIN;", []),
        (f"{BACK}DELETE FROM public.flyway_schema_history;", ["history-table"]),
        (f'{BACK}UPDATE "flyway_schema_history" SET success = true;', ["history-table"]),
        (f"{BACK}GRANT SELECT ON public.flyway_schema_history TO x;", []),
    ],
)
def test_rules(text: str, expected: list[str]) -> None:
    assert sorted(one.rule for one in rules.look(migration(text))) == sorted(expected)


def test_a_repeatable_file_needs_no_way_back_and_v001_is_older_than_the_rule() -> None:
    assert rules.look(migration("SET lock_timeout = 1;\nSELECT 1;", "R__x.sql")) == []
    assert rules.look(migration("SELECT 1;", "V001__x.sql")) == []
    assert [one.rule for one in rules.look(migration("\\q", "V001__x.sql"))] == ["psql"]


def test_only_advice_does_not_stop() -> None:
    found = rules.look(migration("SELECT 1;"))
    assert [one.rule for one in rules.stops(found)] == ["rollback"]


def test_squawk_says_what_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["require-concurrent-index-creation"]\n')
    monkeypatch.chdir(tmp_path)
    answer = squawk.ask(find([EXAMPLE]).migrations)
    assert answer.silent == ""
    assert ("V002__add_feature.sql", 14) in [(one.file, one.line) for one in answer.problems]
    assert "require-concurrent-index-creation" in {one.rule for one in answer.problems}


def test_without_squawk_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert squawk.ask(find([EXAMPLE]).migrations).absent
    broken = tmp_path / "squawk"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    answer = squawk.ask(find([EXAMPLE]).migrations)
    assert (answer.absent, answer.silent) == (False, "squawk failed on V002__add_feature.sql: exit code 3")
