"""Values of backups without I/O: the sidecar's form, privileges taken apart, what a program may say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wnadmin.domain.backup import files, statements, values
from wnadmin.domain.backup.programs import conninfo
from wnadmin.domain.backup.proof import differences
from wnadmin.domain.backup.values import DatabaseFacts, ObjectsProof, Part, Setting, Sidecar, TableProof, Verified
from wnadmin.errors import UsageError

MOMENT = datetime(2026, 11, 22, 10, 30, 15, 123456, tzinfo=UTC)
DATABASE = DatabaseFacts("o'db", "owner", "UTF8", "b", "C", "C", "C.UTF-8", None, -1, None, "a\nb")
SIDECAR = Sidecar(
    name="one",
    file="one.dump",
    format="custom",
    bytes=3,
    sha256="ab",
    parts=(Part("", 3, "ab"),),
    recipients=(),
    compress="",
    jobs=1,
    created_at=MOMENT,
    snapshot_at=MOMENT,
    expires_at=MOMENT,
    lsn="0/1",
    system_identifier="7",
    standby=False,
    read_only=False,
    server="17.10",
    server_major=17,
    client="17.10",
    wnadmin="0",
    database=DATABASE,
    settings=(Setting(None, "work_mem", "7MB"), Setting("r", "search_path", 'a, "b, c"')),
    migrations=None,
    partitions=(),
    tables=(TableProof("s", "t", 2, "-5"), TableProof("s", "ü", 0, "0")),
    sequences=(),
    large_objects=ObjectsProof(0, "0"),
    hash_milliseconds=1,
    dump_milliseconds=1,
    globals="CREATE ROLE x;\n",
)


def test_a_sidecar_comes_back_as_it_was() -> None:
    assert values.read(values.write(SIDECAR), Sidecar) == SIDECAR
    known = Verified("ab", "archive", MOMENT, "content", MOMENT, "why")
    assert values.read(values.write(known), Verified) == known
    never = replace(known, level=None, failed=None, failed_at=None)
    assert values.read(values.write(never), Verified) == never


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"\xff", b'{"schema": "wnadmin/backup/1"}', b'{"schema": "wnadmin/backup/2", "self": ""}'],
)
def test_something_else_is_no_sidecar(data: bytes) -> None:
    with pytest.raises(UsageError):
        values.read(data, Sidecar)


@pytest.mark.parametrize(
    ("key", "value"),
    [("bytes", "3"), ("bytes", True), ("format", "tar"), ("tables", {}), ("created_at", "2026-11-22"), ("name", None)],
)
def test_a_value_of_another_type_is_no_sidecar(key: str, value: object) -> None:
    facts = json.loads(values.write(SIDECAR))
    facts.pop("self")
    facts[key] = value
    facts["self"] = values._own_hash(facts)
    with pytest.raises(UsageError, match="is no"):
        values.read(json.dumps(facts).encode(), Sidecar)


def test_an_edited_sidecar_shows_it() -> None:
    edited = values.write(SIDECAR).replace(b'"rows": 2', b'"rows": 3')
    with pytest.raises(UsageError, match="was changed"):
        values.read(edited, Sidecar)


def test_a_dump_and_its_sidecar_are_of_different_schemas() -> None:
    with pytest.raises(UsageError):
        values.read(values.write(SIDECAR), Verified)


@pytest.mark.parametrize(
    ("item", "grantee", "privileges"),
    [
        ("=Tc/postgres", "", (("TEMPORARY", False), ("CONNECT", False))),
        ("app=c*/postgres", "app", (("CONNECT", True),)),
        ('"odd ""name=x"=C/"a/b"', 'odd "name=x', (("CREATE", False),)),
    ],
)
def test_privileges_are_taken_apart(item: str, grantee: str, privileges: tuple[tuple[str, bool], ...]) -> None:
    assert statements.parse_acl(item) == statements.Grant(grantee, privileges)


@pytest.mark.parametrize("item", ["", "x", "a=c", "a=?/b", '"a=c/b'])
def test_what_is_no_privilege(item: str) -> None:
    with pytest.raises(UsageError):
        statements.parse_acl(item)


def test_a_database_gets_its_own_back_but_not_its_state() -> None:
    settings = (*SIDECAR.settings, Setting(None, "default_transaction_read_only", "on"))
    made = [one.as_string(None) for one in statements.belongings(DATABASE, settings, "new")]
    assert 'ALTER DATABASE "new" SET "work_mem" TO \'7MB\'' in made
    assert 'ALTER ROLE "r" IN DATABASE "new" SET "search_path" TO \'a\', \'b, c\'' in made
    assert not any("read_only" in one for one in made)
    assert 'GRANT CONNECT, TEMPORARY ON DATABASE "new" TO PUBLIC' in made
    assert any(one.startswith('COMMENT ON DATABASE "new" IS') for one in made)


def test_a_setting_cannot_smuggle_a_statement_in() -> None:
    hostile = Setting(None, "search_path", "a; DROP DATABASE prod; --, '")
    made = statements.belongings(DATABASE, [hostile], "new")[-2].as_string(None)
    assert made == "ALTER DATABASE \"new\" SET \"search_path\" TO 'a; DROP DATABASE prod; --', ''''"


def test_differences_are_told_table_by_table() -> None:
    promised = [TableProof("s", "a", 1, "1"), TableProof("s", "b", 2, "2"), TableProof("s", "c", 3, "3")]
    found = [TableProof("s", "a", 1, "9"), TableProof("s", "b", 5, "2"), TableProof("s", "d", 0, "0")]
    assert differences(promised, found) == [
        "s.a has 1 rows, but not the same ones",
        "s.b has 5 rows instead of 2",
        "s.c is missing",
        "s.d was not in the dump",
    ]
    assert differences(promised, promised) == []


@pytest.mark.parametrize("name", ["", ".x", "-x", "a/b", "a b", "x.dump", "x.json", "x.partial", "x" * 200, "a\n"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError):
        files.require_name(name)


@pytest.mark.parametrize("text", ["prod", "Größe/../x", "", "a'b\"c"])
def test_any_database_gives_a_name(text: str) -> None:
    assert files.require_name(files.tame(text))


def test_a_conninfo_string_holds_no_password() -> None:
    made = conninfo({"host": "/a b", "password": "geheim", "user": "o'x\\"}, dbname="d")
    assert made == "host='/a b' user='o\\'x\\\\' dbname=d"
