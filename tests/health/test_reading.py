"""What a person or a monitor reads of a look: hostile names, waivers, baselines, and words that are wrong."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.health.support import (
    DB,
    LOW,
    ORDINARY,
    Health,
    busy,
    end,
    found,
    settings,
    severities,
)
from tests.support import Ran, Server

HOSTILE = {
    "quotes": """he said "it's" `so`""",
    "statement": "; drop table users; --",
    "lines": "two\nlines\r\tand a tab",
    "terminal": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202egnp",
    "tables": "a | b || c, \"d\" \\ [e](f) <g> = 'h'=1;2;3",
}


@pytest.fixture(scope="module")
def hostile(place: Server) -> Iterator[Sequence[str]]:
    """A role at its limit and a prepared transaction of each hostile name; gives what must be found."""
    with place.session(DB) as session, ExitStack() as stack:
        for number, name in enumerate(HOSTILE.values()):
            quoted = '"' + name.replace('"', '""') + '"'
            session.run(f"CREATE ROLE {quoted} LOGIN CONNECTION LIMIT 1")
            stack.callback(session.run, f"DROP ROLE {quoted}")
            session.run(f"GRANT CONNECT ON DATABASE {DB} TO {quoted}")
            stack.callback(session.run, f"REVOKE CONNECT ON DATABASE {DB} FROM {quoted}")
            login = place.session(DB, name)
            stack.callback(end, place, login)
            literal = "'" + name.replace("'", "''") + "'"
            session.run("BEGIN")
            session.run(f"CREATE TABLE public.trap_{number} ()")
            session.run(f"PREPARE TRANSACTION {literal}")
            stack.callback(session.run, f"ROLLBACK PREPARED {literal}")
        yield list(HOSTILE.values())


HOSTILE_RUN = ("--only", "role-connections,prepared-transactions", "--threshold", "prepared-transactions=1ms,2ms")


def test_hostile_names_arrive_whole_at_a_machine(hostile: Sequence[str], health: Health) -> None:
    documents = found(health(*HOSTILE_RUN, "--format", "json"))
    lines = health(*HOSTILE_RUN, "--format", "ndjson").out.split("\n")
    rows = [one["row"] for one in map(json.loads, filter(None, lines)) if one["table"] == "findings"]
    table = list(csv.DictReader(io.StringIO(health(*HOSTILE_RUN, "--format", "csv").out, newline="")))
    # The pipe of this test turns every line ending into the same one.
    as_read = [name.replace("\r", "\n") for name in hostile]
    for form, names in ((documents, hostile), (rows, hostile), (table, as_read)):
        bad = [one for one in form if one["severity"] == "critical"]
        assert len(bad) == 2 * len(hostile)
        for name in names:
            quoted = name.replace('"', '""')
            assert [one for one in bad if quoted in one["object"] and name in one["detail"]], name


@pytest.mark.parametrize("form", ["table", "plain", "markdown", "nagios"])
def test_hostile_names_do_nothing_to_a_reader(hostile: Sequence[str], health: Health, form: str) -> None:
    ran = health(*HOSTILE_RUN, "--format", form)
    assert ran.code == 3
    for text in (ran.out, ran.err):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    if form == "nagios":
        first, *others = ran.out.splitlines()
        assert len(others) == 2 * len(hostile), "one line a finding"
        assert first.count("|") == 1
        assert not [line for line in others if "|" in line]
    if form == "markdown":
        rows = [line for line in ran.out.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
        assert len(rows) == 2 + 2 * len(hostile)


def test_performance_data_are_digits(health: Health) -> None:
    ran = health("--only", "temp-files,xid-age,connections", "--exit-style", "nagios")
    data = ran.out.splitlines()[0].partition(" | ")[2].split()
    assert len(data) == 3
    for one in data:
        assert re.fullmatch(r"'[a-z-]+'=-?[\d.]+(s|B|%)?(;-?[\d.]+:?){0,2}", one), one
    assert any(";10737418240;" in one for one in data)


# --- what is known and waived -----------------------------------------------------------------------------------------


def test_a_waiver_holds_until_its_day_and_no_longer(place: Server, health: Health, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()

    def look(key: str, expires: object) -> Ran:
        waiver = f'{{ key = "{key}", owner = "night shift", reason = "agreed", expires = {expires} }}'
        settings(tmp_path, primary=place.dsn(DB), extra=f"waivers = [{waiver}]")
        return health("-p", "trap", "--only", "idle-in-transaction", *LOW, "--format", "json")

    with busy(place, "BEGIN") as idle:
        key = f"idle-in-transaction:{idle.backend_pid} postgres"
        for expires in (today, today + timedelta(days=1)):
            ran = look(key, expires)
            assert ran.code == 0
            (one,) = found(ran)
            assert (one["severity"], one["standing"]) == ("skipped", "waived")
            assert "waived until" in one["detail"] and "night shift" in one["detail"] and "critical" in one["detail"]
        ended = look(key, today - timedelta(days=1))
        assert ended.code == 3
        assert {(one["check"], one["severity"]) for one in found(ended)} == {
            ("idle-in-transaction", "critical"),
            ("waiver", "warn"),
        }
        assert look("*", today).code == 2
        # What is waived is not gone for another object.
        assert look("idle-in-transaction:1 postgres", today).code == 3


def test_a_waiver_of_findings_does_not_excuse_blindness(place: Server, health: Health, tmp_path: Path) -> None:
    waiver = '{ key = "connections*", owner = "a", reason = "b", expires = 2999-12-31 }'
    settings(tmp_path, primary=place.dsn(DB, ORDINARY), extra=f"waivers = [{waiver}]")
    ran = health("-p", "trap", "--only", "connections", "--format", "json")
    assert ran.code == 3
    assert severities(ran) == {"connections": {"unknown"}}


def test_a_baseline_lets_only_what_is_new_fail(place: Server, health: Health, tmp_path: Path) -> None:
    words = ("--only", "idle-in-transaction", *LOW, "--format", "json")
    saved = tmp_path / "baseline.json"
    with busy(place, "BEGIN") as known:
        before = health(*words)
        assert before.code == 3
        saved.write_text(before.out, encoding="utf-8")
        again = health(*words, "--baseline", str(saved))
        assert again.code == 0
        assert [one["standing"] for one in found(again)] == ["known"]
        with busy(place, "BEGIN") as new:
            ran = health(*words, "--baseline", str(saved))
            assert ran.code == 3
            standing = {one["object"]: one["standing"] for one in found(ran)}
            assert standing == {f"{known.backend_pid} postgres": "known", f"{new.backend_pid} postgres": ""}
            plugin = health(*words[:-2], "--baseline", str(saved), "--exit-style", "nagios")
            assert plugin.code == 2
            assert f"CRITICAL idle-in-transaction {new.backend_pid} " in plugin.out
            assert f"CRITICAL idle-in-transaction {known.backend_pid} " not in plugin.out


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why", "next"),
    [
        (("--only", "conections"), "unknown check conections", "Did you mean connections?"),
        (("--ignore", "reachable,sequence"), "unknown check sequence", "Did you mean sequences?"),
        (("--threshold", "xid-agee=1,2"), "unknown check xid-agee", "Did you mean xid-age?"),
        (("--threshold", "connections=lots"), "cannot read the threshold 'lots'", "Example: 80%"),
        (("--threshold", "connections=10GB"), "cannot read the threshold '10GB'", "Example: 80%"),
        (("--threshold", "connections=95%,80%"), "the thresholds of connections are the wrong way round", "80"),
        (("--threshold", "connections"), "cannot read the threshold 'connections'", "CHECK=WARN,CRITICAL"),
        (("--threshold", "reachable=1"), "reachable has no threshold", "--ignore reachable"),
        (("--preset", "midnight"), "unknown preset midnight", "triage, nightly"),
        (("--only", "reachable", "--ignore", "reachable"), "no check is left to run", "health list"),
        (("--only", "reachable", "--baseline", "/nonexistent"), "there is no baseline", "--format json"),
    ],
)
def test_a_wrong_word_is_refused_with_the_right_one(
    health: Health, words: tuple[str, ...], why: str, next: str
) -> None:
    ran = health(*words)
    assert ran.code == 2
    assert ran.out == ""
    assert why in ran.err
    assert next in ran.err


def test_a_wrong_word_is_unknown_to_a_monitor(health: Health) -> None:
    ran = health("--only", "conections", "--exit-style", "nagios")
    assert ran.code == 3
    assert ran.out.startswith("WNADMIN UNKNOWN - unknown check conections")
