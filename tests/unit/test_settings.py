"""Profiles: what is read, what is refused, and with which words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from wnadmin import settings
from wnadmin.errors import UsageError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "wnadmin.toml"
    monkeypatch.setenv("WNADMIN_CONFIG", str(path))
    return path


def test_a_profile_is_read(config: Path) -> None:
    config.write_text(
        'default = "prod"\n[profiles.prod]\nprimary = "host=db1 dbname=wondernest_prod"\n'
        'standbys = ["host=db2"]\nproduction = true\nminimum_server = 16\n'
    )
    profile = settings.load_profile(None)
    assert (profile.name, profile.production, profile.minimum_server) == ("prod", True, 16)
    assert profile.standbys == ("host=db2",)


def test_without_a_file_there_is_an_empty_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WNADMIN_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings.load_profile(None) == settings.Profile()
    with pytest.raises(UsageError, match="unknown profile prod"):
        settings.load_profile("prod")


@pytest.mark.parametrize(
    ("text", "message", "follow"),
    [
        ("[profiles.prod]\n", "unknown profile prdo", "Did you mean --profile prod?"),
        ("[profiles.prdo]\nprimry = 'x'\n", "unknown key primry", "Did you mean primary?"),
        ("[profiles.prdo]\nproduction = 'yes'\n", "production in", "See the README"),
        ("[profiles.prdo]\nprimary = 'host=x password = y'\n", "holds a password", "~/.pgpass"),
        ("[profiles.prdo]\npooler = 'postgresql://u:pw@h/db'\n", "holds a password", "~/.pgpass"),
        ("[profiles\n", "cannot read the settings", "Correct the file."),
    ],
)
def test_what_is_wrong_is_named(config: Path, text: str, message: str, follow: str) -> None:
    config.write_text(text)
    with pytest.raises(UsageError) as caught:
        settings.load_profile("prdo")
    assert message in caught.value.what
    assert follow in caught.value.next


GOOD = 'key = "connections:x", owner = "DBA team", reason = "ticket 12", expires = 2026-12-31'


def waivers(config: Path, *tables: str) -> tuple[settings.Waiver, ...]:
    config.write_text(f"[profiles.prod]\nwaivers = [{', '.join(tables)}]\n")
    return settings.load_profile("prod").waivers


def test_a_waiver_is_read(config: Path) -> None:
    (one,) = waivers(config, "{ " + GOOD + " }")
    assert (one.key, one.owner, one.reason, one.expires) == (
        "connections:x",
        "DBA team",
        "ticket 12",
        date(2026, 12, 31),
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('"connections:x"', "is not a table"),
        ("{ " + GOOD.replace('owner = "DBA team", ', "") + " }", "has no owner"),
        ("{ " + GOOD.replace('"DBA team"', '""') + " }", "owner of a waiver"),
        ("{ " + GOOD.replace(", expires = 2026-12-31", "") + " }", "has no expires"),
        ("{ " + GOOD.replace("2026-12-31", "2026-12-31T00:00:00") + " }", "expires of a waiver"),
        ("{ " + GOOD.replace("2026-12-31", '"2026-12-31"') + " }", "expires of a waiver"),
        ("{ " + GOOD + ', until = "x" }', "unknown key until in a waiver"),
        ("{ " + GOOD.replace("connections:x", "*") + " }", "would excuse everything"),
    ],
)
def test_a_waiver_that_is_none(config: Path, table: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        waivers(config, table)
    assert message in caught.value.what
    assert caught.value.next.startswith("Write { key = ")


@pytest.mark.parametrize(
    ("key", "of", "blind", "covers"),
    [
        ("a:x", "a:x", False, True),
        ("a:x", "a:xy", False, False),
        ("a:*", "a:xy", False, True),
        ("a:*", "b:x", False, False),
        ("a*", "a", True, False),
        ("a", "a", True, True),
    ],
)
def test_what_a_waiver_covers(key: str, of: str, blind: bool, covers: bool) -> None:
    assert settings.Waiver(key, "o", "r", date(2026, 1, 1)).covers(of, blind=blind) is covers
