"""Which PostgreSQL is taken, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.support import plain_environment
from wnadmin.errors import Failed, UsageError
from wnadmin.postgres.embedded import client_tool, discover, discovery
from wnadmin.postgres.embedded.discovery import choose


def install(bindir: Path, version: str, *, programs: tuple[str, ...] = ("postgres", "initdb"), body: str = "") -> Path:
    """A directory of programs that know nothing but their version."""
    bindir.mkdir(parents=True)
    for name in programs:
        path = bindir / name
        path.write_text(f"#!/bin/sh\n{body}\necho '{name} (PostgreSQL) {version}'\n")
        path.chmod(0o755)
    return bindir


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which only what a test installs is found."""
    relative = tmp_path.relative_to("/")
    monkeypatch.setattr(discovery, "_SYSTEM_PATTERNS", (f"{relative}/usr/lib/postgresql/*/bin",))
    monkeypatch.setattr(discovery, "_wheel", lambda: iter([p for p in [tmp_path / "wheel/bin"] if p.is_dir()]))
    return tmp_path


def system(machine: Path, version: str, *, programs: tuple[str, ...] = ("postgres", "initdb"), body: str = "") -> Path:
    bindir = machine / "usr/lib/postgresql" / version.split(".")[0] / "bin"
    return install(bindir, version, programs=programs, body=body)


def test_the_systems_newest_comes_first_and_the_wheel_last(machine: Path) -> None:
    system(machine, "15.9")
    system(machine, "16.1 (Debian 16.1-1)")
    install(machine / "wheel/bin", "17.10")
    found = discover(env={})
    assert [(one.kind, one.version) for one in found] == [
        ("system", (16, 1)),
        ("system", (15, 9)),
        ("wheel", (17, 10)),
    ]
    assert found[0].bindir == machine / "usr/lib/postgresql/16/bin"
    assert found[0].label == f"PostgreSQL 16.1 (system, {found[0].bindir})"


def test_a_beta_counts_as_its_major(machine: Path) -> None:
    system(machine, "19beta2")
    assert discover(env={})[0].version == (19, 0)


def test_a_directory_on_the_path_is_found_once_through_links(machine: Path) -> None:
    real = system(machine, "16.1")
    links = machine / "bin"
    links.mkdir()
    (links / "postgres").symlink_to(real / "postgres")
    other = install(machine / "other/bin", "15.2")
    assert [one.bindir for one in discover(env={"PATH": str(links)})] == [real]
    assert [one.bindir for one in discover(env={"PATH": str(other)})] == [real, other]


def test_what_does_not_run_is_not_taken_and_the_reason_is_told(machine: Path) -> None:
    system(machine, "18.1", body="echo 'error while loading shared libraries: libssl' >&2; exit 127")
    install(machine / "usr/lib/postgresql/17/bin", "17.1", programs=("postgres",))
    system(machine, "14.3")
    broken = system(machine, "16.1")
    (broken / "postgres").write_text("not a program")
    assert discover(env={}) == []
    with pytest.raises(Failed) as caught:
        choose(env={})
    for reason in ("libssl", "has no initdb", "older than 15", "does not run"):
        assert reason in caught.value.why
    assert caught.value.next == "pip install 'wnadmin[embedded]'"


def test_programs_that_need_their_own_libraries_get_them(machine: Path) -> None:
    bindir = system(machine, "16.1", body='[ -n "$LD_LIBRARY_PATH" ] || exit 127')
    (bindir.parent / "lib").mkdir()
    assert discover(env={})[0].libdir == bindir.parent / "lib"


def test_one_kind_can_be_forced(machine: Path) -> None:
    system(machine, "16.1")
    install(machine / "wheel/bin", "17.10")
    assert [one.kind for one in discover(env={"WNADMIN_PG_PROVIDER": "wheel"})] == ["wheel"]
    assert [one.kind for one in discover(env={"WNADMIN_PG_PROVIDER": "system"})] == ["system"]
    with pytest.raises(UsageError, match="docker"):
        discover(env={"WNADMIN_PG_PROVIDER": "docker"})


def test_an_explicit_directory_is_the_only_one_and_must_run(machine: Path) -> None:
    system(machine, "16.1")
    mine = install(machine / "mine", "15.4")
    assert [(one.kind, one.bindir) for one in discover(env={"WNADMIN_PG_BINDIR": str(mine)})] == [("env", mine)]
    with pytest.raises(UsageError) as caught:
        discover(env={"WNADMIN_PG_BINDIR": str(machine / "nothing")})
    assert caught.value.why == "has no postgres"
    with pytest.raises(UsageError) as caught:
        discover(env={"WNADMIN_PG_BINDIR": str(mine)}, pinned_major=16)
    assert "is 15" in caught.value.why


def test_a_data_directory_pins_its_major(machine: Path) -> None:
    system(machine, "16.1")
    install(machine / "wheel/bin", "17.10")
    assert [one.version for one in discover(env={}, pinned_major=17)] == [(17, 10)]
    with pytest.raises(Failed) as caught:
        choose(env={}, pinned_major=15)
    assert caught.value.what == "PostgreSQL 15 is not on this machine"
    assert "made by PostgreSQL 15" in caught.value.why


def test_a_client_program_is_never_older_than_the_server(machine: Path) -> None:
    for version in ("15.9", "17.2", "18.1"):
        system(machine, version, programs=("pg_dump",))
    assert client_tool("pg_dump", 15, env={}).version == (15, 9)
    assert client_tool("pg_dump", 16, env={}).path == machine / "usr/lib/postgresql/17/bin/pg_dump"
    with pytest.raises(Failed) as caught:
        client_tool("pg_dump", 19, env={})
    assert "pg_dump is 18" in caught.value.why
    assert "postgresql-client-19" in caught.value.next


def test_this_machine_has_a_server_and_its_tools() -> None:
    found = discover(env=plain_environment())
    assert found
    assert all((one.bindir / "initdb").is_file() and one.version[0] >= 15 for one in found)
    assert client_tool("pg_dump", found[0].version[0], env=plain_environment()).version >= found[0].version[:1]
