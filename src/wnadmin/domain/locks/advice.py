"""``locks advise``: whom to end so that the most go on, what that loses, and when it is the wrong remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from wnadmin.domain.locks import scenarios, statements, verdicts
from wnadmin.domain.locks.forest import NOBODY, trees, unseen
from wnadmin.domain.locks.rows import Session, forest
from wnadmin.domain.locks.verdicts import ACTS, Verdict
from wnadmin.domain.sessions import words
from wnadmin.domain.sessions.sight import Sight, sight
from wnadmin.postgres.database import Database
from wnadmin.render.cells import visible
from wnadmin.results import Cell, Column, Report, Table

PATIENCE = "1min"
"""How long a running statement may hold others up before it is named."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session whose end would free others: ``alone`` is how many go on if only it ends, ``sql`` how to end it.

    ``pasted`` is the same in lines.

    ``once`` is how many of these have no other blocker at all and can go on in the same moment; the others go on
    after them. ``advised`` when it is among those to end.
    """

    session: Session
    verdict: Verdict
    alone: int
    once: int
    sql: str
    pasted: str = ""
    advised: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """All candidates, the ladder of sets to end, and how many sessions wait."""

    candidates: tuple[Candidate, ...]
    ladder: tuple[scenarios.Ends, ...]
    waiting: int

    @property
    def advised(self) -> tuple[Candidate, ...]:
        """Those to end: the smallest set that frees the most."""
        return tuple(one for one in self.candidates if one.advised)


def advise(db: Database, *, patience: str = PATIENCE, wide: bool = False) -> Report:
    """Name whom to end, with the guarded statement for psql."""
    limit = words.duration(patience, "--patience")
    found = forest(db)
    view = sight(db)
    advice = weigh(db, found, limit)
    hidden = sum(one.hidden for one in found)
    return Report(
        "locks-advise",
        (_candidates(advice, wide), _sets(advice)),
        text=_summary(advice, db.name) if found else "",
        notes=(
            *trees(found),
            *_remarks(advice, view),
            *unseen(db, hidden),
        ),
        next="wnadmin locks tree" if found else "",
    )


def weigh(db: Database, found: Sequence[Session], patience: timedelta) -> Advice:
    """Judge every root, and every waiter that others queue up behind, and find whom to end."""
    waiting = [one for one in found if one.waiting]
    roots = [(one, verdicts.root(one, patience)) for one in found if one.depth == 0]
    acting = {one.key for one, verdict in roots if verdict.action in ACTS}
    gates = verdicts.gates(found)
    keys = [one.key for one, _ in roots] + [one.key for one in gates]
    alone = dict(zip(keys, scenarios.freed(found, [frozenset([key]) for key in keys]), strict=True))
    judged = [*roots, *((one, verdicts.gate(one, alone[one.key])) for one in gates if alone[one.key])]
    # A waiter is to be cancelled only where what it waits for cannot be ended.
    usable = [
        (one, verdict)
        for one, verdict in judged
        if verdict.action in ACTS and (one.depth == 0 or not acting.issuperset(one.roots))
    ]
    usable.sort(key=lambda pair: _price(*pair))
    ladder = scenarios.ladder(found, [one.key for one, _ in usable])
    chosen = set(ladder[-1].keys) if ladder else set()
    candidates = []
    for one, verdict in judged:
        short, long = statements.act(one, verdict.action), statements.act(one, verdict.action, between="\n    ")
        candidates.append(
            Candidate(
                one,
                verdict,
                alone[one.key],
                sum(list(other.blockers) == [one.key] for other in waiting),
                db.session.quote(short) if short is not None else "",
                db.session.quote(long) if long is not None else "",
                one.key in chosen,
            )
        )
    candidates.sort(key=lambda one: (not one.advised, -one.alone))
    return Advice(tuple(candidates), tuple(ladder), len(waiting))


def _price(one: Session, verdict: Verdict) -> tuple[int, int]:
    """Order by what is lost: nothing written before something, a failed transaction first."""
    cheap = 0 if one.state == "idle in transaction (aborted)" else 1 if one.xid is None else 2
    return (3 if verdict.action == "rollback" else cheap, one.key)


def _summary(advice: Advice, database: str) -> str:
    wait = "1 session waits" if advice.waiting == 1 else f"{advice.waiting} sessions wait"
    if not advice.ladder:
        return f"{wait}. Nobody is to be ended now; see why below."
    last = advice.ladder[-1]
    names = visible(", ".join(one.session.name for one in advice.advised), keep="")
    said = f"{wait}. Act on {names}: {last.frees} of {advice.waiting} go on."
    lines = [said, "In psql, each of these touches what was seen here and nothing else:"]
    for one in advice.advised:
        if one.verdict.action == "rollback" and one.session.database != database:
            lines.append(f"-- connected to database {statements.text(one.session.database or '')}:")
        lines.append(one.pasted)
    return "\n".join(lines)


def _remarks(advice: Advice, view: Sight) -> tuple[str, ...]:
    remarks: list[str] = []
    ended = [one.session for one in advice.advised if one.session.pid is not None]
    if not view.superuser and any(one.superuser for one in ended):
        remarks.append("Only a superuser may end the session of a superuser.")
    if not view.may_signal and any(one.role != view.login for one in ended):
        grant = f"GRANT pg_signal_backend TO {view.quoted};"
        remarks.append(f"{view.login} may not end sessions of other roles. To let it: {grant}")
    if view.standby:
        remarks.append("This is a standby: what it replays waits for its queries only max_standby_streaming_delay.")
    if advice.ladder and not advice.ladder[-1].exact:
        remarks.append(
            f"More than {scenarios.EXACT} could be ended, so the sets were put together step by step: "
            "a smaller one that frees as many may exist."
        )
    return tuple(remarks)


_COLUMNS = (Column("session"), Column("action"), Column("frees"), Column("once", "at once"), Column("why"))
_MORE = (
    "loses",
    "advised",
    "pid",
    "backend_start",
    "gid",
    "who",
    "state",
    "state_age",
    "xact_age",
    "xid",
    "below",
    "direct",
    "sql",
)


def _candidates(advice: Advice, wide: bool) -> Table:
    title = "Who holds the others up"
    rows = [(one.session.name, _action(one), one.alone, one.once, _why(one)) for one in advice.candidates]
    narrow = Table("candidates", _COLUMNS, tuple(rows), title, empty=NOBODY)
    return Table(
        "candidates",
        (*_COLUMNS, *(Column(name) for name in _MORE)),
        tuple((*row, *_more(one)) for row, one in zip(rows, advice.candidates, strict=True)),
        title,
        empty=NOBODY,
        shown=None if wide else narrow,
    )


def _action(one: Candidate) -> str:
    if one.verdict.action in ACTS and not one.advised:
        return f"or {one.verdict.action}"
    return one.verdict.action


def _why(one: Candidate) -> str:
    lost = f". It loses {one.verdict.loses}" if one.verdict.loses else ""
    return visible(f"{one.verdict.why}{lost}.", keep="")


def _more(one: Candidate) -> tuple[Cell, ...]:
    seen = one.session
    return (
        one.verdict.loses,
        one.advised,
        seen.pid,
        seen.backend_start,
        seen.gid,
        words.who(seen.role, seen.database, seen.application, seen.backend_type),
        seen.state,
        seen.state_age,
        seen.xact_age,
        seen.xid,
        seen.below,
        seen.direct,
        one.sql,
    )


def _sets(advice: Advice) -> Table:
    names = {one.session.key: one.session.name for one in advice.candidates}
    rows = tuple(
        (
            len(step.keys),
            visible(", ".join(names[key] for key in step.keys), keep=""),
            step.frees,
            advice.waiting,
            "exact" if step.exact else "greedy",
        )
        for step in advice.ladder
    )
    columns = (Column("ends"), Column("sessions"), Column("frees"), Column("waiting", "of"), Column("search"))
    return Table("sets", columns, rows, "How many go on", empty="there is nobody to end")
