"""One node of one database, as a command's body sees it: bundled queries as rows, changes as Steps."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from wnadmin import assets
from wnadmin.errors import Failed, UsageError, WnError
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import Composable
from wnadmin.postgres.values import Answer
from wnadmin.postgres.variables import Rendered, render
from wnadmin.results import Column, Receipt, Step, Table, Unit, Value, World

R = TypeVar("R")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension as it stands in this database: its schema and its version, (1, 11) for 1.11."""

    schema: str
    version: assets.Version


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a step, ready to run, with the number of rows it must touch (None: any)."""

    rendered: Rendered
    rows: int | None
    where: str


@dataclass(frozen=True, slots=True)
class Batches(Generic[C]):
    """Work that is cut into batches.

    ``left`` looks anew for what is left to do each time it is called, so that a resumed step goes on where the
    first run stopped. ``apply`` does one batch in one transaction. ``total`` and ``size`` are in the unit that
    progress counts, named by ``unit``. ``shows`` is the text of the first batch.
    """

    label: str
    unit: str
    left: Callable[[], Iterable[C]]
    apply: Callable[[C], object]
    total: int
    size: Callable[[C], int]
    shows: tuple[str, ...]

    def run(self, key: str, world: World) -> Receipt:
        """Do all that is left, batch by batch; the receipt counts the whole, also what an earlier run did."""
        began = time.monotonic()
        todo = list(self.left())
        at = self.total - sum(self.size(one) for one in todo)
        world.progress(self.label, at, self.total)
        for one in todo:
            if world.stopping():
                raise Failed(f"stopped after {at:,} of {self.total:,} {self.unit}", why="It was interrupted.")
            self.apply(one)
            at += self.size(one)
            world.progress(self.label, at, self.total)
        return Receipt(key, self.total, _since(began))


class Database:
    """A connected node. Reads give values; changes are only described, as Steps that the engine runs."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def name(self) -> str:
        """The connected database."""
        return self.session.dbname

    @property
    def version(self) -> int:
        """``server_version_num``, e.g. 170004."""
        return self.session.version

    def in_recovery(self) -> bool:
        """Whether this node is a standby."""
        return bool(self.session.scalar("SELECT pg_catalog.pg_is_in_recovery()"))

    def extension(self, name: str) -> Extension | None:
        """Look up an extension in the connected database; None where it was not created.

        The version is the extension's own, which after an upgrade of the server may be older than the library.
        """
        found = self.session.run(
            "SELECT n.nspname, e.extversion FROM pg_catalog.pg_extension AS e "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = %s",
            [name],
        ).rows
        if not found:
            return None
        first, _, second = str(found[0][1]).partition(".")
        number = "".join(itertools.takewhile(str.isdigit, second))
        return Extension(str(found[0][0]), (int(first) if first.isdigit() else 0, int(number or 0)))

    def creation_of(self, name: str) -> str:
        """Give the statement that creates an extension, in the schema for extensions where there is one."""
        wanted = self.session.scalar("SELECT true FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'extensions'")
        return f"CREATE EXTENSION {name}{' SCHEMA extensions' if wanted else ''}"

    def file(self, name: str) -> assets.SqlFile:
        """Load the bundled file ``name`` in the variant for this server and its extensions."""
        file = assets.load(name, self.version)
        if file.extension:
            installed = self.extension(file.extension)
            file = assets.load(name, self.version, installed.version if installed else None)
        return file

    def rows(self, name: str, row: type[R], /, **values: Value) -> list[R]:
        """Run the bundled query ``name``; its columns must be the fields of the dataclass ``row``, in order."""
        return self.rows_of(self.file(name), row, values)

    def rows_of(self, file: assets.SqlFile, row: type[R], values: Mapping[str, Value]) -> list[R]:
        """Run a query that :meth:`file` has given, as :meth:`rows` does."""
        return _as_rows(file, row, self._query(file, values))

    def rows_each(
        self,
        wanted: Sequence[tuple[assets.SqlFile, Mapping[str, Value]]],
        row: type[R],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Iterator[list[R] | WnError]:
        """Run many queries at once, and give the rows of each, or its error, in order as they arrive.

        None may have a personal or secret value. After a lost connection nothing more comes. ``meanwhile`` is called
        once the server has work to do.
        """
        texts = [(file.name, self._rendered(file, values)) for file, values in wanted]
        if any(rendered.bound for _, rendered in texts):
            raise TypeError("a query with bound values cannot be sent with others")
        answers = self.session.run_each([(name, rendered.query) for name, rendered in texts], meanwhile)
        for (file, _), answer in zip(wanted, answers, strict=False):
            found: list[R] | WnError
            try:
                found = answer if isinstance(answer, WnError) else _as_rows(file, row, answer)
            except Failed as error:
                found = error
            yield found

    def table(
        self,
        name: str,
        values: Mapping[str, Value] | None = None,
        *,
        title: str = "",
        units: Mapping[str, Unit] | None = None,
    ) -> Table:
        """Run the bundled query ``name`` and give its rows as a table."""
        answer = self._query(self.file(name), values or {})
        columns = tuple(Column(one, unit=(units or {}).get(one, "")) for one in answer.columns)
        return Table(name.rpartition("/")[2], columns, answer.rows, title)

    def _query(self, file: assets.SqlFile, values: Mapping[str, Value]) -> Answer:
        rendered = self._rendered(file, values)
        return self.session.run(rendered.query, rendered.bound, doing=file.name)

    def _rendered(self, file: assets.SqlFile, values: Mapping[str, Value]) -> Rendered:
        if self.version // 10000 < file.since:
            raise UsageError(
                f"{file.name} needs PostgreSQL {file.since} or newer",
                why=f"This server is {self.version // 10000}.",
            )
        return render(file.text, values, file.name)

    def prepared(self, name: str, values: Mapping[str, Value] | None = None, *, rows: int | None = None) -> Statement:
        """Load the bundled change ``name`` with its values; ``rows`` is how many rows it must touch."""
        return Statement(render(assets.load(name, self.version).text, values or {}, name), rows, name)

    def composed(self, text: Composable, *, rows: int | None = None, where: str = "statement") -> Statement:
        """Take a statement composed from the catalog."""
        rendered = self.session.quote(text)
        return Statement(Rendered(rendered, (), rendered), rows, where)

    def statement(
        self,
        title: str,
        name: str,
        values: Mapping[str, Value] | None = None,
        *,
        key: str = "",
        rows: int | None = None,
        done: Callable[[], bool] | None = None,
    ) -> Step:
        """Describe one bundled statement as a step; it runs by itself, outside any transaction block."""
        one = self.prepared(name, values, rows=rows)

        def run(world: World) -> Receipt:
            began = time.monotonic()
            count = self._run(one)
            return Receipt(key or name, count, _since(began))

        return Step(key or name, title, (one.rendered.shown,), run, done=done)

    def transaction(
        self,
        title: str,
        key: str,
        statements: Sequence[Statement],
        *,
        done: Callable[[], bool] | None = None,
        undo: Sequence[Statement] = (),
    ) -> Step:
        """Describe statements that succeed or fail together; ``undo`` is run backwards by ``audit undo``."""

        def run(world: World) -> Receipt:
            return self._together(key, statements)

        def take_back(world: World, receipt: Receipt) -> Receipt:
            return self._together(key, undo)

        shows = tuple(one.rendered.shown for one in statements)
        return Step(
            key,
            title,
            ("BEGIN;", *shows, "COMMIT;"),
            run,
            done=done,
            undo=take_back if undo else None,
            undo_shows=tuple(one.rendered.shown for one in undo),
        )

    def batches(
        self,
        title: str,
        key: str,
        batches: Batches[C],
        *,
        done: Callable[[], bool] | None = None,
        undo: Batches[C] | None = None,
    ) -> Step:
        """Describe work in batches, each a transaction of its own; a wish to stop is heard between two of them."""
        take_back = undo

        def run(world: World) -> Receipt:
            return batches.run(key, world)

        def reverse(world: World, receipt: Receipt) -> Receipt:
            if take_back is None:
                raise TypeError(f"{key} has no undo")
            return take_back.run(key, world)

        return Step(
            key,
            title,
            batches.shows,
            run,
            done=done,
            undo=reverse if take_back else None,
            undo_shows=take_back.shows if take_back else (),
        )

    def _together(self, key: str, statements: Sequence[Statement]) -> Receipt:
        began = time.monotonic()
        total = 0
        with self.session.transaction():
            for one in statements:
                total += self._run(one) or 0
        return Receipt(key, total, _since(began))

    def _run(self, one: Statement) -> int | None:
        answer = self.session.run(one.rendered.query, one.rendered.bound, doing=one.where)
        if one.rows is not None and answer.count != one.rows:
            raise Failed(
                f"{one.where} touched {answer.count} rows where {one.rows} was expected",
                why="The object changed between the plan and the change, or was not there.",
                next="Look again and make a new plan.",
            )
        return answer.count


def _as_rows(file: assets.SqlFile, row: type[R], answer: Answer) -> list[R]:
    expected = tuple(one.name for one in fields(row))  # type: ignore[arg-type]  # R is a dataclass
    if answer.columns != expected:
        raise Failed(
            f"{file.name}.sql gives {', '.join(answer.columns)} instead of {', '.join(expected)}",
            why="The bundled SQL and the program do not fit together.",
            next="Install wnadmin again.",
        )
    return [row(*one) for one in answer.rows]


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
