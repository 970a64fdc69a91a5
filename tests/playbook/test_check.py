"""`playbook check` finds each kind of fault, says where, and finds none in a page that is right."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import typer

from wnadmin.cli import app
from wnadmin.domain.playbook import check, page
from wnadmin.domain.playbook.page import SECTIONS
from wnadmin.engine.parse import Parsed, parse
from wnadmin.results import Finding

NO_NAME = "which is no name of a shell variable in capitals"
ELSEWHERE = "names a server or database; leave it to PG*, or make it an input"
ROOT = typer.main.get_command(app)
GOOD = """+++
id = "good"
title = "All is well"
severity = "warn"
symptoms = ["nothing"]
checks = ["connections"]
roles = ["wondernest_operator"]

[inputs]
ID = "the operation, from `wnadmin audit unfinished`"
PID = "from `wnadmin sessions list`"
+++

# All is well

## Symptoms

Something is seen. `wnadmin health run --only connections` says so, \\`not this\\`.

## Look

```console
$ wnadmin audit unfinished --format json | psql -v pid=1
$ ID=…
$ wnadmin audit log --operation "$ID" > /tmp/log
```

## Decide

- This or that, see `wnadmin playbook show good`.

## Act

```console
$ PID=…
$ wnadmin sql show queries/queries/calls_of | psql -v schema=x \\
>     -v queryid="$PID"
$ psql -v pid="$PID" -f sql/checks/connections.sql
$ pg_isready
```

```sql
SELECT :'pid'::int;
```

## Verify

```console
$ wnadmin health run --only connections --threshold connections=70%,90%
```

```text
any output
```

## If it fails

Try again.

## After

Write it down.
"""


def parser(argv: Sequence[str]) -> Parsed:
    return parse(argv, ROOT)


def faults(text: str, name: str = "good") -> list[tuple[str, str, int]]:
    """Rule, message and line of each fault of a page; that other checks have no page here is of no interest."""
    found = check.check([page.read(name, text)], parser).findings
    return [at(one) for one in found if one.check not in (check.COVERAGE, "playbook.page")]


def at(finding: Finding) -> tuple[str, str, int]:
    return finding.check.removeprefix("playbook."), finding.detail, int(finding.object.rpartition(":")[2])


def line(text: str, of: str) -> int:
    return text[: text.index(of)].count("\n") + 1


def test_a_page_that_is_right() -> None:
    assert faults(GOOD) == []
    (good, *_) = check.check([page.read("good", GOOD)], parser).findings
    assert (good.severity, good.detail) == ("ok", "8 command lines; detected by connections")


@pytest.mark.parametrize(
    ("old", "new", "rule", "said"),
    [
        ("+++\nid", "id", "front", "the page does not begin with front matter between two lines of +++"),
        ('id = "good"\n', "", "front", "the front matter has no id"),
        ('id = "good"', 'id = "better"', "front", "id is better, and the file is good.md"),
        ('title = "All is well"', "title = 3", "front", "title is not a text"),
        ('severity = "warn"', 'severity = "bad"', "front", "severity is neither warn nor critical"),
        ('symptoms = ["nothing"]', "symptoms = []", "front", "symptoms is empty"),
        ('symptoms = ["nothing"]', 'symptoms = "nothing"', "front", "symptoms is not a list of texts"),
        ('["connections"]', "[1]", "front", "checks is not a list of texts"),
        ('["wondernest_operator"]', "[]", "front", "roles is empty"),
        ("[inputs]\n", "[inputs]\nlower = 'x'\n", "front", f"inputs has lower, {NO_NAME}"),
        ("[inputs]\n", "[inputs]\nN = 1\n", "front", "inputs is not a table of texts"),
        ("severity =", 'nonsense = "x"\nseverity =', "front", "the front matter has an unknown key nonsense"),
        ("# All is well", "# Something else", "sections", "the heading is not the title, 'All is well'"),
        ("# All is well\n\n##", "##", "sections", "there is no heading `# All is well`"),
        ("## Decide", "## Decision", "sections", f"Decision is not a section; they are {', '.join(SECTIONS)}"),
        ("## After\n\nWrite it down.\n", "", "sections", "the section After is missing"),
        ("Try again.", "", "sections", "the section If it fails is empty"),
        ("## After\n", "## After\n\nx\n\n## After\n", "sections", "a section stands there twice"),
        ("```text", "```python", "sections", "a block is one of console, sql, text, not 'python'"),
        ("any output\n```", "any output\n", "sections", "the block is not closed"),
        ("any output", "x" * 81, "sections", "the line has 81 columns, more than 80"),
        ("$ pg_isready", "pg_isready", "commands", "a console line begins with `$ `, or with `> ` after a `\\`"),
        ("$ pg_isready", "$ rm -rf /", "commands", "rm is none of wnadmin, psql, pg_isready"),
        ("$ pg_isready", "$ pg_isready 'x", "commands", "a shell cannot read it: no closing quotation"),
        ("$ pg_isready", "$ wnadmin nope", "commands", "`wnadmin nope`: No such command 'nope'"),
        ("$ pg_isready", "$ wnadmin audit", "commands", "`wnadmin audit`: a verb is missing"),
        ("$ pg_isready", "$ wnadmin audit resume", "commands", "`wnadmin audit resume`: Missing argument 'ID'"),
        ("$ pg_isready", "$ wnadmin locks tree --x", "commands", "`wnadmin locks tree --x`: No such option: --x"),
        ("$ pg_isready", "$ wnadmin config check --format xml", "commands", "there is no format xml"),
        ("$ pg_isready", "$ wnadmin config check && true", "commands", "true is none of wnadmin, psql, pg_isready"),
        ("$ pg_isready", "$ psql -h db1", "commands", f"`-h db1` {ELSEWHERE}"),
        ("$ pg_isready", "$ pg_isready -p5433", "commands", f"`-p 5433` {ELSEWHERE}"),
        ("$ pg_isready", "$ psql --host=db1 -c 'SELECT 1'", "commands", f"`-h db1` {ELSEWHERE}"),
        ("$ pg_isready", "$ psql wondernest", "commands", f"`wondernest` {ELSEWHERE}"),
        ("$ pg_isready", "$ psql -d host=db1", "commands", f"`host=db1` {ELSEWHERE}"),
        ("$ pg_isready", "$ psql -U boss", "roles", "-U boss is none of the page's roles"),
        ("$ pg_isready", "$ psql --nonsense", "commands", "psql does not take it: option --nonsense not recognized"),
        ("$ pg_isready", "$ pg_isready -f", "commands", "pg_isready does not take it: option -f not recognized"),
        ("show good`", "show better`", "commands", "there is no playbook better"),
        ("$ pg_isready", "$ wnadmin sql show queries/none", "sql", "there is no bundled SQL file queries/none"),
        ("$ pg_isready", "$ psql -f sql/none.sql", "sql", "there is no file sql/none.sql"),
        ("schema=x", "scheme=x", "sql", "psql is given no -v schema, which queries/queries/calls_of needs"),
        ("::int;", "::int", "sql", "the SQL does not end with a semicolon"),
        ('--operation "$ID"', '--operation "$OTHER"', "variables", "$OTHER is no input, and no earlier line sets it"),
        ("$ ID=…", "$ OTHER=…", "variables", "OTHER is to be filled in, and no input says from where"),
        ("$ ID=…", "$ ID=$(whoami)", "variables", "ID is the output of a command, which nobody checks"),
        ("[inputs]\n", "[inputs]\nSPARE = 'x'\n", "variables", "the input SPARE is never used"),
        (":'pid'::int", ":'gid'::text", "variables", ":'gid' is used, and no earlier psql is given -v gid="),
        ('["connections"]', '["conections"]', "checks", "there is no check conections"),
        ("--only connections --t", "--only connection --t", "checks", "there is no check connection"),
        ("connections=70%", "connect=70%", "checks", "there is no check connect"),
        ("wondernest_operator", "wondernest_boss", "roles", "there is no role wondernest_boss in sql/expected.json"),
    ],
)  # fmt: skip
def test_each_fault_is_named(old: str, new: str, rule: str, said: str) -> None:
    assert GOOD.count(old) >= 1
    found = faults(GOOD.replace(old, new, 1))
    assert (rule, said) in [(one, text) for one, text, _ in found], found


def test_a_fault_has_its_line() -> None:
    broken = GOOD.replace("$ pg_isready", "$ wnadmin nope").replace("Try again.", "")
    assert faults(broken) == [
        ("commands", "`wnadmin nope`: No such command 'nope'", line(broken, "$ wnadmin nope")),
        ("sections", "the section If it fails is empty", line(broken, "## If it fails")),
    ]


def test_the_order_of_sections() -> None:
    one, other = "## If it fails\n\nTry again.\n", "## After\n\nWrite it down.\n"
    found = faults(GOOD.replace(one, "").replace(other, other + "\n" + one))
    assert [text for _, text, _ in found] == [f"the sections are not in the order {', '.join(SECTIONS)}"]


def test_front_matter_that_is_no_toml() -> None:
    found = faults(GOOD.replace('id = "good"', "id = good"))
    assert found[0][0] == "front"
    assert found[0][1].startswith("the front matter is not TOML: Invalid value")
    assert faults("+++\nid = 1\n")[0] == ("front", "the front matter is not closed by a line of +++", 1)


def test_ids_and_checks_are_each_pages_own() -> None:
    twin = page.read("twin", GOOD)
    found = check.check([page.read("good", GOOD), twin], parser).findings
    said = {one.detail for one in found if one.severity == "critical"}
    assert {
        "twin.md has the same id",
        "good.md has the same id",
        "id is good, and the file is twin.md",
        "twin.md is for the check connections too",
    } <= said


def test_a_check_that_can_turn_critical_needs_a_page() -> None:
    found = check.check([page.read("good", GOOD)], parser).findings
    missing = {one.object for one in found if one.check == check.COVERAGE}
    assert "blocking" in missing and "connections" not in missing
    assert "cache-hit" not in missing, "it never turns critical"


@pytest.mark.parametrize(
    "typed",
    [
        'psql -d "$PID" -v a=1 -Atc "SELECT 1"',
        'psql "$PID"',
        'psql -h "$PID" -p "$PID" -U postgres anywhere',
        "psql -U wondernest_operator -v ON_ERROR_STOP=1",
        'pg_isready -h "$PID" -t 5',
    ],
)
def test_what_the_operator_fills_in_may_name_a_server(typed: str) -> None:
    assert faults(GOOD.replace("$ pg_isready", f"$ {typed}")) == []


def test_variables_in_any_place_of_a_command() -> None:
    """A number, an id or a date may be the operator's to fill in; a choice may not be anything."""
    taken = GOOD.replace("$ pg_isready", '$ wnadmin queries slow --top "$PID" --by mean')
    assert faults(taken) == []
    refused = GOOD.replace("$ pg_isready", '$ wnadmin queries slow --by "$PID"')
    ((rule, said, _),) = faults(refused)
    assert rule == "commands"
    assert "Invalid value for '--by'" in said
