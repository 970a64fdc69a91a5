"""Ask the planner what an index would change, through hypopg: in this session only, nothing is created."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wnadmin.domain.indexes.names import unquoted
from wnadmin.domain.indexes.statements import explain, forget, make, prepare, sized
from wnadmin.domain.tables.quantity import quoted
from wnadmin.errors import CutOff, ServerError, Vanished

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database, Extension

ABSENT = (
    "hypopg is not installed here, so the planner was not asked what an index would change "
    "(CREATE EXTENSION hypopg, from the package postgresql-NN-hypopg)"
)


@dataclass(frozen=True, slots=True)
class Question:
    """Would ``WHERE column = $1 AND …`` be cheaper with an index? Names as they are written in SQL."""

    table: str
    columns: tuple[str, ...]
    partitioned: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The planner's costs without and with the index; both None when it could not be asked, and ``told`` says why."""

    question: Question
    before: float | None = None
    after: float | None = None
    bytes: int | None = None
    told: str = ""


def ask(db: Database, questions: Sequence[Question]) -> tuple[list[Answer], str]:
    """Answer every question, or say why none could be answered."""
    if not questions:
        return [], ""
    extension = db.extension("hypopg")
    if extension is None:
        return [], ABSENT
    session = db.session
    if not session.scalar("SELECT pg_catalog.has_schema_privilege(%s, 'USAGE')", [extension.schema]):
        needed = f"GRANT USAGE ON SCHEMA {quoted(extension.schema)} TO {quoted(session.user)}"
        return [], f"unknown: the planner was not asked, this login may not use hypopg: {needed}"
    session.run("SET plan_cache_mode = force_generic_plan")
    try:
        return [_one(db, extension, question) for question in questions], ""
    finally:
        if session.alive:
            session.run("RESET plan_cache_mode")


def _one(db: Database, extension: Extension, question: Question) -> Answer:
    if question.partitioned:
        return Answer(question, told="hypopg cannot index a partitioned table")
    session = db.session
    table = unquoted(question.table)
    columns = [unquoted(column)[0] for column in question.columns]

    def cost() -> float:
        # Prepared anew each time: a plan once made would not see the index.
        session.run(prepare(table, columns))
        try:
            return _cost(session.scalar(explain(len(columns))))
        finally:
            session.run("DEALLOCATE wnadmin_question")

    try:
        before = cost()
        oid = session.scalar(make(extension.schema, table, columns))
        try:
            after = cost()
            size = session.scalar(sized(extension.schema, oid))
        finally:
            session.run(forget(extension.schema))
    except (Vanished, CutOff) as error:
        return Answer(question, told=error.what)
    except ServerError as error:
        if error.sqlstate != "42501":
            return Answer(question, told=error.what)
        return Answer(
            question, told=f"unknown: {error.what}; GRANT SELECT ON {question.table} TO {quoted(db.session.user)}"
        )
    told = "the planner would use it" if after < before else "the planner would not use it"
    return Answer(question, before, after, int(size) if size is not None else None, told)


def _cost(plan: Any) -> float:
    found = json.loads(plan) if isinstance(plan, str) else plan
    return float(found[0]["Plan"]["Total Cost"])
