"""What is waived, what the baseline knew, which exit code follows, and the monitoring plugin's line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.engine import judgement
from wnadmin.engine.boundary import asks_for_nagios
from wnadmin.engine.options import Options
from wnadmin.errors import UsageError
from wnadmin.render import machine, nagios
from wnadmin.results import Finding, Findings, Severity
from wnadmin.settings import Waiver

TODAY = date(2026, 3, 1)


def finding(check: str, severity: Severity, object: str = "", **more: object) -> Finding:
    key = f"{check}:{object}" if object else check
    return replace(
        Finding(id=key, check=check, severity=severity, detail="words", object=object, node="primary", waiver_key=key),
        **more,  # type: ignore[arg-type]  # fields by name
    )


def findings(*found: Finding) -> Findings:
    return Findings("health", found)


def waiver(key: str, days: int = 0) -> Waiver:
    return Waiver(key, "the DBA team", "known, ticket 12", TODAY + timedelta(days=days))


def weighed(*found: Finding, options: Options | None = None, waivers: tuple[Waiver, ...] = ()) -> Findings:
    return judgement.weigh(findings(*found), options or Options(), waivers, TODAY)


def test_a_waiver_excuses_until_its_day_and_says_so() -> None:
    value = weighed(finding("connections", "critical", "database a"), waivers=(waiver("connections:database a"),))
    (one,) = value.findings
    assert (one.severity, one.standing) == ("skipped", "waived")
    assert one.detail == "waived until 2026-03-01 by the DBA team: known, ticket 12 (is critical: words)"
    assert judgement.code(value, Options()) == 0
    assert value.notes == ("1 waived by the profile",)


def test_a_waiver_past_its_date_excuses_nothing_and_is_a_finding() -> None:
    value = weighed(finding("connections", "critical", "a"), waivers=(waiver("connections:a", -1),))
    assert [one.severity for one in value.findings] == ["critical", "warn"]
    assert value.findings[1].detail.startswith("the waiver ended on 2026-02-28")
    assert judgement.code(value, Options()) == 3


def test_a_waiver_of_another_check_is_not_mentioned_here() -> None:
    assert len(weighed(finding("connections", "ok"), waivers=(waiver("sequences:x", -1),)).findings) == 1


def test_a_wide_waiver_does_not_excuse_blindness() -> None:
    value = weighed(finding("connections", "unknown"), waivers=(waiver("connections*"),))
    assert value.worst == "unknown"
    assert weighed(finding("connections", "unknown"), waivers=(waiver("connections"),)).worst == "ok"


def saved(tmp_path: Path, *found: Finding) -> Options:
    path = tmp_path / "before.json"
    path.write_text(machine.json_document(findings(*found)), encoding="utf-8")
    return Options(baseline=str(path))


def test_a_baseline_lets_only_what_is_new_count(tmp_path: Path) -> None:
    options = saved(tmp_path, finding("a", "warn"), finding("b", "unknown"), finding("c", "ok"))
    old = weighed(finding("a", "warn"), finding("b", "unknown"), finding("c", "ok"), options=options)
    assert judgement.code(old, options) == 0
    assert [one.standing for one in old.findings] == ["known", "known", ""]
    for new in (finding("c", "warn"), finding("a", "critical"), finding("a", "warn", "other")):
        assert judgement.code(weighed(new, options=options), options) == 3
    elsewhere = replace(finding("a", "warn"), node="standby1")
    assert judgement.code(weighed(elsewhere, options=options), options) == 3


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "cannot read the baseline"),
        ("[]", "is not a baseline for this command"),
        ('{"schema": "wnadmin/setup-verify/1", "findings": []}', "is not a baseline for this command"),
        ('{"schema": "wnadmin/health/1"}', "cannot read the baseline"),
        (
            '{"schema": "wnadmin/health/1", "findings": [{"severity": "bad", "node": "", "waiver_key": ""}]}',
            "cannot read",
        ),
    ],
)
def test_a_baseline_that_is_none(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "before.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=what):
        judgement.read_baseline(path, "health")


def test_a_missing_baseline_names_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        judgement.read_baseline(tmp_path / "none.json", "health")
    assert caught.value.next == f"Save one: wnadmin … --format json > {tmp_path / 'none.json'}"


@pytest.mark.parametrize(
    ("severity", "ci", "critical_only", "plugin"),
    [("ok", 0, 0, 0), ("skipped", 0, 0, 0), ("warn", 3, 0, 1), ("unknown", 3, 3, 3), ("critical", 3, 3, 2)],
)
def test_exit_codes(severity: Severity, ci: int, critical_only: int, plugin: int) -> None:
    value = weighed(finding("a", severity), finding("b", "ok"))
    assert judgement.code(value, Options()) == ci
    assert judgement.code(value, Options(fail_on="critical")) == critical_only
    assert judgement.code(value, Options(exit_style="nagios")) == plugin


def test_critical_outweighs_unknown_also_for_a_monitor() -> None:
    value = weighed(finding("a", "unknown"), finding("b", "critical"))
    assert judgement.code(value, Options(exit_style="nagios")) == 2


def test_what_is_allowed_to_be_unknown_does_not_count() -> None:
    options = Options(allow_unknown=("a",), exit_style="nagios")
    assert judgement.code(weighed(finding("a", "unknown"), options=options), options) == 0
    with pytest.raises(UsageError, match="there is no such check here"):
        judgement.require_known(findings(finding("a", "ok")), Options(allow_unknown=("b",)))


def test_the_plugin_line() -> None:
    value = findings(
        finding("connections", "critical", "role a", measured="98 %", value=98.0, unit="%", warn=80.0, critical=95.0),
        finding("connections", "ok", "max", value=3.0, unit="%", warn=80.0, critical=95.0),
        finding("partition-runway", "warn", value=30.0, unit="days", warn=45.0, critical=7.0, below=True),
        finding("archiver", "ok"),
    )
    first, *rest = nagios.plugin(value).splitlines()
    assert first == (
        "WNADMIN CRITICAL - 1 critical, 1 warn, 2 ok: connections role a 98 %; partition-runway words | "
        "'connections'=98%;80;95 'partition-runway'=2592000s;3888000:;604800:"
    )
    assert rest == ["CRITICAL connections role a: 98 %; words", "WARNING partition-runway: words"]


@given(st.text(), st.text())
def test_the_plugin_line_is_one_line_whatever_is_in_it(object: str, detail: str) -> None:
    value = findings(finding("a", "critical", object, detail=detail, value=1.0), finding("b", "ok"))
    text = nagios.plugin(value)
    first, *_ = text.split("\n")
    assert first.count("|") == 1
    assert re.fullmatch(r"WNADMIN CRITICAL - .* \| 'a'=1", first)
    assert text.count("\n") == 2
    assert text.replace("\n", " ").isprintable() or "\u00a0" in text or not text.isascii()


def test_several_nodes_have_their_own_performance_data() -> None:
    value = findings(finding("a", "ok", value=1.0), replace(finding("a", "ok", value=2.0), node="standby1"))
    assert "'a@primary'=1 'a@standby1'=2" in nagios.plugin(value)


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (["health", "run", "--exit-style", "nagios"], True),
        (["health", "run", "--exit-style=nagios"], True),
        (["health", "run", "--exit-style", "ci", "nagios"], False),
        (["nagios"], False),
        ([], False),
    ],
)
def test_the_style_is_read_from_the_words(argv: list[str], asked: bool) -> None:
    assert asks_for_nagios(argv) is asked


def test_the_saved_form_is_the_one_that_is_read() -> None:
    document = json.loads(machine.json_document(findings(finding("a", "warn", value=1.5, unit="s"))))
    assert document["schema"] == "wnadmin/health/1"
    assert document["findings"][0]["waiver_key"] == "a"
