"""Homes, markers, locks and configuration files, without a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.server.support import Nest
from wnadmin.errors import Refused, UsageError, WnError
from wnadmin.postgres.embedded import Account, Cluster, config, default_home, sockets
from wnadmin.postgres.embedded.launch import _open_log, explain
from wnadmin.postgres.embedded.locking import exclusive
from wnadmin.postgres.embedded.places import Layout, new_marker, read_marker, write, write_marker

ME = Account("me", os.geteuid(), os.getegid())


def quiet(_: str) -> None:
    """No progress."""


def test_the_home_of_root_and_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_home({"WNADMIN_HOME": "/srv/x", "HOME": "/home/a"}) == Path("/srv/x")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_home({"HOME": "/root", "XDG_DATA_HOME": "/root/d"}) == Path("/var/lib/wnadmin")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_home({"HOME": "/home/a"}) == Path("/home/a/.local/share/wnadmin")
    assert default_home({"HOME": "/home/a", "XDG_DATA_HOME": "/data"}) == Path("/data/wnadmin")
    assert default_home({"HOME": "/home/a", "XDG_DATA_HOME": "data"}) == Path("/home/a/.local/share/wnadmin")


def test_a_cluster_object_touches_nothing_and_shows_no_environment(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "x", {"SECRET": "hunter2"})
    assert cluster.status().state == "absent"
    assert not (tmp_path / "x").exists()
    assert "hunter2" not in repr(cluster)


def test_a_marker_says_the_same_again_and_refuses_when_damaged(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert read_marker(layout) is None
    marker = new_marker(ME, made_home=True)
    write_marker(layout, marker)
    assert read_marker(layout) == marker
    assert layout.marker.stat().st_mode & 0o777 == 0o600
    for damage in ("{", "[]", "{}", '{"format": "other/1"}'):
        layout.marker.write_text(damage)
        with pytest.raises(Refused, match="damaged"):
            read_marker(layout)


def test_files_are_not_written_through_a_planted_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "conf").symlink_to(victim)
    write(tmp_path / "conf", "ours")
    assert victim.read_text() == "untouched"
    assert (tmp_path / "conf").read_text() == "ours"
    assert not (tmp_path / "conf").is_symlink()


@pytest.mark.parametrize("name", ["data", "log", "socket", "server", "data.new.1", "data.old"])
def test_what_wnadmin_did_not_make_is_neither_used_nor_removed(nest: Nest, name: str) -> None:
    cluster = nest.new("foreign")
    theirs = cluster.home / name
    theirs.mkdir(parents=True)
    (theirs / "precious").write_text("1")
    for call in (cluster.start, cluster.destroy):
        with pytest.raises(Refused, match="not made by wnadmin"):
            call()
    assert (theirs / "precious").read_text() == "1"


def test_a_home_that_everyone_may_write_to_is_refused(nest: Nest) -> None:
    home = nest.path / "open"
    home.mkdir()
    home.chmod(0o1777)
    with pytest.raises(Refused) as caught:
        Cluster(home).start()
    assert caught.value.next == f"chmod o-w {home}"


def test_a_home_that_is_a_file_or_unprintable(nest: Nest) -> None:
    (nest.path / "file").write_text("")
    with pytest.raises(UsageError, match="not a directory"):
        Cluster(nest.path / "file").start()
    with pytest.raises(UsageError, match="cannot hold a server"):
        Cluster(nest.path / "two\nlines").start()


@pytest.mark.parametrize(
    ("options", "hba"),
    [
        ({"bad name": "1"}, ()),
        ({"x;": "1"}, ()),
        ({"data_directory": "/"}, ()),
        ({"Unix_Socket_Directories": "/tmp"}, ()),
        ({"work_mem": "1\nfsync = off"}, ()),
        ({}, ("local all all trust\nhost all all all trust",)),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_made(
    nest: Nest, options: dict[str, str], hba: tuple[str, ...]
) -> None:
    cluster = nest.new()
    with pytest.raises(UsageError):
        cluster.start(options, hba=hba)
    assert not cluster.home.exists()


def test_callers_win_over_the_defaults_and_tcp_is_off() -> None:
    chosen = config.settings({"Work_Mem": "1MB"}, log=Path("/l"), fsync=False, preload=True)
    assert (chosen["work_mem"], chosen["fsync"], chosen["max_locks_per_transaction"]) == ("1MB", "off", "512")
    assert chosen["shared_preload_libraries"] == "pg_stat_statements"
    assert "shared_preload_libraries" not in config.settings({}, log=Path("/l"), fsync=True, preload=False)
    assert "fsync" not in config.settings({}, log=Path("/l"), fsync=True, preload=False)
    words = config.command_line({}, Path('/a, "b"'))
    assert "listen_addresses=" in words
    assert 'unix_socket_directories="/a, ""b"""' in words


@pytest.mark.parametrize(("major", "others", "role"), [(15, "trust", "postgres"), (16, "peer map=wnadmin", "all")])
def test_the_superuser_is_always_proven_by_the_kernel(tmp_path: Path, major: int, others: str, role: str) -> None:
    (tmp_path / "postgresql.conf").write_text("port = 1")
    for _ in range(2):
        config.write_files(
            tmp_path, ME, {"a.b": "it's \\"}, hba=["local x x reject"], users=["root", "root"], major=major
        )
    hba = [line.split(None, 3) for line in (tmp_path / "pg_hba.conf").read_text().splitlines() if line[0] != "#"]
    assert hba[0] == ["local", "x", "x", "reject"]
    assert hba[1] == ["local", "all", "postgres", "peer map=wnadmin"]
    assert hba[3] == ["local", "all", "all", others]
    assert all(line[0] == "local" for line in hba)
    assert (tmp_path / "pg_ident.conf").read_text().splitlines()[1:] == [f'wnadmin "root" {role}']
    assert "a.b = 'it''s \\\\'" in (tmp_path / "wnadmin.conf").read_text()
    assert (tmp_path / "postgresql.conf").read_text().count("include 'wnadmin.conf'") == 1


def test_a_lock_that_is_held_is_named_and_a_removed_one_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    heard: list[str] = []
    with exclusive(path, quiet):
        with pytest.raises(Refused) as caught, exclusive(path, heard.append, patience=0.2):
            pass
        assert str(os.getpid()) in caught.value.why
        assert len(heard) == 1
        path.unlink()
        with exclusive(path, quiet, patience=0.2):
            assert path.exists()
    with exclusive(path, quiet, shared=True), exclusive(path, quiet, shared=True, patience=0.2):
        pass


def test_a_socket_directory_that_others_may_enter_is_not_taken(tmp_path: Path) -> None:
    private = tmp_path / "wnadmin-x"
    private.mkdir(0o700)
    assert sockets.is_private(private, ME)
    private.chmod(0o750)
    assert not sockets.is_private(private, ME)
    link = tmp_path / "wnadmin-link"
    link.symlink_to(tmp_path)
    assert not sockets.is_private(link, ME)
    sockets.drop_socket_directory(link, ME)
    sockets.drop_socket_directory(tmp_path, ME)
    assert tmp_path.is_dir()


@pytest.mark.parametrize(
    ("said", "why", "hint"),
    [
        (
            'initdb: error: could not write to file "x": No space left on device\ninitdb: removing',
            "No space left on device",
            "free some space",
        ),
        (
            '1 [1] LOG:  invalid value for parameter "work_mem": "x"\n1 [1] FATAL:  file "c" contains errors',
            'contains errors: invalid value for parameter "work_mem"',
            "correct the settings",
        ),
        ('FATAL:  could not access file "nix": No such file or directory', "nix", "shared_preload_libraries"),
        ('FATAL:  invalid value for parameter "TimeZone": "UTC"', "UTC", "tzdata"),
        ("FATAL:  could not resize shared memory segment: No space left on device", "resize", "/dev/shm"),
        ("something else\nlast words", "last words", ""),
        ("", "it said nothing", ""),
    ],
)
def test_what_the_server_says_becomes_a_reason_and_a_remedy(said: str, why: str, hint: str) -> None:
    error = explain("the server did not start", said)
    assert isinstance(error, WnError)
    assert why in error.why
    assert hint in error.next


def test_the_startup_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = tmp_path / "startup.log"
    for letter in ("a", "b", "c"):
        with os.fdopen(_open_log(tmp_path, ME), "w") as file:
            file.write(letter * 1_000_001)
    assert log.read_text()[0] == "c"
    assert (tmp_path / "startup.log.1").read_text()[0] == "b"
    assert len(list(tmp_path.iterdir())) == 2
