"""The plan of `migrate apply`: one step a file, each with the row that Flyway would write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.migrate import ready, rules, squawk, work
from wnadmin.domain.migrate.judge import Fault, Judgement, judge
from wnadmin.domain.setup import flyway, turn
from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.flyway import Version
from wnadmin.domain.setup.migrations import OWNER, Files, Migration, find
from wnadmin.domain.setup.names import SCHEMAS
from wnadmin.domain.setup.split import split
from wnadmin.errors import Refused, UsageError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

COMMAND: Final = "migrate apply"
HISTORY: Final = "migrate.history"
INDEXES: Final = "migrate.indexes"
Connect = Callable[[], Session]
"""Opens a session in the command's database; the receiver closes it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for; ``wait`` is how many seconds to wait for another migration or Flyway."""

    locations: tuple[Path, ...]
    target: Version | None = None
    out_of_order: bool = False
    wait: float = 60.0


@dataclass(frozen=True, slots=True)
class _Index:
    name: str


def plan_apply(wanted: Wanted, connect: Connect, inputs: Inputs | None = None) -> Plan:
    """Look, judge, lint and describe; nothing to do when all is applied.

    ``inputs`` are those of an unfinished run: it goes on with the files it had, which must not have changed. Raises
    Refused with everything that stands in the way.
    """
    wanted = _again(wanted, inputs or {})
    files = find(wanted.locations)
    if wanted.target is not None and files.version(wanted.target) is None:
        raise UsageError(
            f"there is no migration of version {wanted.target.text}",
            why="A version that is mistyped would silently leave files out.",
            next=f"See which there are: wnadmin migrate status{files.options}",
        )
    with connect() as session:
        db = Database(session)
        seen, rows = ready.require(db, COMMAND)
        judged = judge(rows, files, target=wanted.target, out_of_order=wanted.out_of_order)
        _require_no_faults(session, judged, files.options)
        chosen = _chosen(judged, files, inputs or {})
        invalid = _invalid(db)
        database, major = db.name, db.version // 10000
    _require_clean(chosen, files.options)
    if asks := [one.script for one in chosen if one.as_superuser and not seen.is_superuser]:
        raise Refused(
            f"{asks[0]} asks for a superuser",
            why=f"Its header says `-- role: superuser`, and {seen.login} is none.",
            next="Log in as a superuser to apply it.",
        )
    become = "" if seen.acting == OWNER else OWNER
    terms = work.Terms(files, wanted.wait, wanted.target, wanted.out_of_order, become)
    steps = tuple(_step(one, terms, connect) for one in chosen)
    version = max((version for version in flyway.applied(rows)), default=None)
    if not steps:
        at = f" at version {version.text}" if version else ""
        left = "".join(f"; not taken: {one}" for one in files.ignored)
        return Plan(_title(database, steps), (), nothing=f"{database} is{at}, and nothing is pending{left}")

    def verify() -> list[Finding]:
        with connect() as again:
            return _proof(Database(again), chosen, invalid)

    recorded: dict[str, Json] = {
        "files": {one.script: one.checksum for one in chosen},
        "locations": [str(path) for path in wanted.locations],
        "target": wanted.target.text if wanted.target else None,
        "out_of_order": wanted.out_of_order,
    }
    # No target: a second migration waits for Flyway's lock instead of being refused, and then finds the work done.
    return Plan(
        _title(database, steps),
        steps,
        effects=(*_effects(chosen, major), *(f"not taken: {one}" for one in files.ignored)),
        inputs=recorded,
        verify=verify,
        next=f"wnadmin setup drift{files.options}",
    )


def _again(wanted: Wanted, inputs: Inputs) -> Wanted:
    if "files" not in inputs:
        return wanted
    locations, target = inputs.get("locations"), inputs.get("target")
    paths = tuple(Path(str(one)) for one in locations) if isinstance(locations, (list, tuple)) else wanted.locations
    version = flyway.parse_version(str(target)) if target else None
    return Wanted(paths, version, bool(inputs.get("out_of_order")), wanted.wait)


def _title(database: str, steps: Sequence[Step]) -> str:
    number = "one file" if len(steps) == 1 else f"{len(steps)} files"
    return f"Migrate {database} by {number}" if steps else f"Migrate {database}"


def _chosen(judged: Judgement, files: Files, inputs: Inputs) -> tuple[Migration, ...]:
    """Give what is pending; of an unfinished run all that it had chosen, whatever of it is done already."""
    before = inputs.get("files")
    if not isinstance(before, dict):
        return judged.pending
    by_script = {one.script: one for one in files.migrations}
    for script, checksum in before.items():
        one = by_script.get(str(script))
        if one is None or one.checksum != checksum:
            what = "is not here any more" if one is None else "was changed"
            raise Refused(
                f"{script} {what} since the operation began",
                why=f"It began with checksum {checksum}.",
                next=f"Bring the file back, or make a new plan: wnadmin migrate apply{files.options}",
            )
    return tuple(one for one in files.migrations if one.script in before)


# --- what stands in the way -------------------------------------------------------------------------------------

_NEXT: Final = {
    "changed": "Restore the file as it was applied. If the change is meant and harmless: wnadmin migrate repair{}",
    "type": "wnadmin migrate repair{}",
    "description": "Restore the file's name. If the change is meant: wnadmin migrate repair{}",
    "missing": "Bring the file back, or name the folder it is in: wnadmin migrate status{} --location DIR",
    "ignored": "Give the file a version above the last one, or late on purpose: wnadmin migrate apply --out-of-order{}",
}


def _require_no_faults(session: Session, judged: Judgement, options: str) -> None:
    faults = judged.faults
    if not faults:
        return
    broken = [one for one in judged.entries if one.state == "failed"]
    if broken and (who := turn.holders(session)):
        raise Refused(
            f"{broken[0].title} is being applied",
            why=f"By {who[0]}.",
            next=f"Wait for it to end, then look: wnadmin migrate status{options}",
        )
    number = "one thing stands" if len(faults) == 1 else f"{len(faults)} things stand"
    why = "\n".join(f"- {told(one)}" for one in faults)
    follow = work.way_out(broken[0].file, options) if broken else _NEXT[faults[0].kind].format(options)
    raise Refused(f"{number} in the way of migrating", why=why, next=follow)


def told(one: Fault) -> str:
    """Say a fault in one line."""
    return f"{one.message} (recorded {one.was}, here {one.now})" if one.was or one.now else one.message


def _require_clean(chosen: Sequence[Migration], options: str) -> None:
    problems = [problem for one in chosen for problem in rules.stops(rules.look(one))]
    if not problems:
        return
    number = "one thing is" if len(problems) == 1 else f"{len(problems)} things are"
    raise Refused(
        f"{number} wrong in the migrations",
        why="\n".join(f"- {one}" for one in problems),
        next=f"Put the files right; nothing was changed. Look again with: wnadmin migrate lint{options}",
    )


# --- steps ------------------------------------------------------------------------------------------------------


def _step(one: Migration, terms: work.Terms, connect: Connect) -> Step:
    def run(world: World) -> Receipt:
        with connect() as session:
            return work.apply(session, one, terms, world)

    def done() -> bool:
        with connect() as session:
            rows = flyway.read_history(session) or ()
        judged = judge(rows, terms.files, target=terms.target, out_of_order=terms.out_of_order)
        return judged.of(one).state in ("success", "out of order")

    def take_back(world: World, receipt: Receipt) -> Receipt:
        with connect() as session:
            return work.take_back(session, one, terms, receipt, world)

    # A repeatable file has no way back: what it replaced stands in the history of the file.
    reversible = bool(one.header.rollback and one.version)
    return Step(
        one.script,
        f"Apply {one.title}",
        work.shows(one, terms.become),
        run,
        done=done,
        undo=take_back if reversible else None,
        undo_shows=(one.header.rollback,) if reversible else (),
    )


def _effects(chosen: Sequence[Migration], major: int) -> list[str]:
    found = []
    for one in chosen:
        number = len(split(one.text))
        statements = "1 statement" if number == 1 else f"{number} statements"
        how = (
            "in one transaction" if one.in_transaction else "without a transaction: cut off, it has to be undone first"
        )
        back = "its header takes it back" if one.header.rollback else f"no way back: {one.header.irreversible}"
        back = f"; {back}" if one.version else ""
        who = ", as the superuser who logs in" if one.as_superuser else ""
        found.append(f"{one.script}: {statements}, {how}{who}{back}")
    answer = squawk.ask(chosen, major)
    found += [f"squawk: {one}" for one in answer.problems]
    if answer.silent:
        found.append(f"{answer.silent}: nothing is said about locks")
    return found


# --- proof ------------------------------------------------------------------------------------------------------


def _proof(db: Database, chosen: Sequence[Migration], invalid: frozenset[str]) -> list[Finding]:
    rows = flyway.read_history(db.session) or ()
    found = []
    for one in chosen:
        mine = [row for row in rows if row.script == one.script and row.success and row.checksum == one.checksum]
        detail = "the history holds it with the checksum of its file" if mine else "the history does not hold it"
        found.append(finding(HISTORY, "ok" if mine else "critical", detail, thing=one.script))
    more = sorted(_invalid(db) - invalid)
    found += [finding(INDEXES, "critical", "the index is invalid and serves no query", thing=name) for name in more]
    return found if more else [*found, finding(INDEXES, "ok", "no index was left invalid")]


def _invalid(db: Database) -> frozenset[str]:
    return frozenset(one.name for one in db.rows("queries/migrate/invalid_indexes", _Index, schemas=",".join(SCHEMAS)))
