"""Statements about the tables that policies name, composed with the driver's own quoting.

``t`` is a row of the policy's table in all of them. Each is one statement, and a text that psql runs as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from wnadmin.domain.retention.manifest import Entry, Path
from wnadmin.domain.retention.values import Leg, Policy, Reference
from wnadmin.postgres.sql import SQL, Composable, Composed, Identifier, Literal

_HELD: Final = {
    "user": SQL("SELECT h.id FROM core.users AS h WHERE h.legal_hold"),
    "family": SQL("SELECT h.id FROM family.families AS h WHERE h.legal_hold"),
    # Nothing of a family on hold may go: neither may what is about its children.
    "child": SQL(
        "SELECT h.id FROM family.child_profiles AS h WHERE h.legal_hold UNION ALL "
        "SELECT h.id FROM family.child_profiles AS h "
        "INNER JOIN family.families AS f ON f.id = h.family_id WHERE f.legal_hold"
    ),
}

_FLOORS: Final = {
    "audit.erasure_tombstones": SQL("t.expires_at < {now}"),
    "audit.data_subject_requests": SQL("(t.retained_until IS NULL OR t.retained_until < {now})"),
    "audit.backups": SQL("t.removed_at IS NOT NULL"),
}
"""What a row must be besides old, so that it no longer answers for anything."""


def due(policy: Policy, *, by: str = "any") -> Composed:
    """Tell which rows are past their time. A row with a ``retention_until`` of its own goes by that one."""
    at = {"column": Identifier("t", str(policy.time_column)), "now": Literal(policy.judged_at)}
    now, cut = SQL("{now}::timestamptz").format(**at), SQL("{}::timestamptz").format(Literal(policy.cut))
    age = SQL("{} < {}").format(at["column"], cut)
    own = SQL("t.retention_until < {}").format(now)
    parts: list[Composable]
    if not policy.has_until or by == "all":
        parts = [age]
    elif by == "until":
        parts = [own]
    elif by == "time":
        parts = [SQL("t.retention_until IS NULL"), age]
    else:
        parts = [SQL("({} OR (t.retention_until IS NULL AND {}))").format(own, age)]
    if policy.table in _FLOORS:
        parts.append(_FLOORS[policy.table].format(now=now))
    if policy.action == "pseudonymise":
        parts.append(SQL("t.identity_erased_at IS NULL"))
    return SQL(" AND ").join(parts)


def held(policy: Policy, entry: Entry, references: Iterable[Reference]) -> Composed:
    """Tell whether a legal hold keeps a row: its own, its subject's, or one of a row that would change with it."""
    parts: list[Composable] = [SQL("t.legal_hold")] if policy.has_hold else []
    parts += [_on_hold(path) for path in entry.paths]
    parts += [_exists(one, on_hold=True) for one in _holding(policy, references)]
    return SQL("({})").format(SQL(" OR ").join(parts)) if parts else SQL("{}").format(SQL("false"))


def _holding(policy: Policy, references: Iterable[Reference]) -> list[Reference]:
    """The foreign keys whose rows may be on hold themselves, and would change with a deletion."""
    changes = policy.action != "pseudonymise"
    return [one for one in references if changes and one.has_hold and one.action not in ("a", "r")]


def untouched(policy: Policy, references: Iterable[Reference]) -> Composed | None:
    """An error where this transaction has changed a row of another table that is on hold; None where there are none.

    A hold that was committed after the batch began to look is seen here, in the row that lost its link.
    """
    touched = [
        SQL("EXISTS (SELECT FROM {} AS r WHERE r.legal_hold AND r.xmin = pg_catalog.pg_current_xact_id()::xid)").format(
            Identifier(one.schema, one.table_name)
        )
        for one in _holding(policy, references)
    ]
    if not touched:
        return None
    return SQL("SELECT 1 / CASE WHEN {} THEN 0 ELSE 1 END AS untouched;").format(SQL(" OR ").join(touched))


def _on_hold(path: Path) -> Composed:
    inner: Composable = _HELD[path.subject]
    last = path.last
    # From the subject outwards: each step asks for the rows that lead to it.
    for number, (column, schema, table, key) in reversed(list(enumerate(path.steps))):
        inner = SQL("SELECT {key} FROM {table} AS {alias} WHERE {last} IN ({inner})").format(
            key=Identifier(f"s{number}", key),
            table=Identifier(schema, table),
            alias=Identifier(f"s{number}"),
            last=Identifier(f"s{number}", last),
            inner=inner,
        )
        last = column
    return SQL("{} IN ({})").format(Identifier("t", last), inner)


def referenced(references: Iterable[Reference]) -> Composed:
    """Tell whether rows of other tables need the row; they stand against its deletion."""
    parts = [_exists(one) for one in references if one.action in ("a", "r")]
    return SQL("({})").format(SQL(" OR ").join(parts)) if parts else SQL("{}").format(SQL("false"))


def _exists(one: Reference, *, on_hold: bool = False) -> Composed:
    more = SQL(" AND r.legal_hold" if on_hold else "")
    return SQL("EXISTS (SELECT FROM {} AS r WHERE {}{})").format(
        Identifier(one.schema, one.table_name), _joined(one), more
    )


def _joined(one: Reference) -> Composed:
    pairs = [SQL("{} = {}").format(Identifier("r", ours), Identifier("t", theirs)) for ours, theirs in one.pairs]
    return SQL(" AND ").join(pairs)


def count(policy: Policy, table: tuple[str, str], entry: Entry, references: Sequence[Reference]) -> Composed:
    """Count the rows past their time: those that go, that are held, that others need; and the oldest time."""
    return SQL(
        "SELECT pg_catalog.count(*) FILTER (WHERE x.held IS NOT TRUE AND x.needed IS NOT TRUE) AS due, "
        "pg_catalog.count(*) FILTER (WHERE x.held) AS held, "
        "pg_catalog.count(*) FILTER (WHERE x.needed AND x.held IS NOT TRUE) AS referenced, "
        "pg_catalog.min(x.at)::timestamptz AS oldest "
        "FROM (SELECT {column} AS at, {held} AS held, {needed} AS needed FROM {table} AS t WHERE {due}) AS x"
    ).format(
        column=Identifier("t", str(policy.time_column)),
        held=held(policy, entry, references),
        needed=referenced(() if policy.action == "pseudonymise" else references),
        table=Identifier(*table),
        due=due(policy),
    )


def old(policy: Policy) -> Composed:
    """Count the rows older than the period, whoever they are about."""
    return SQL("SELECT pg_catalog.count(*) FROM {} AS t WHERE {} < {}::timestamptz").format(
        Identifier(policy.schema, policy.name), Identifier("t", str(policy.time_column)), Literal(policy.cut)
    )


def touched(policy: Policy, entry: Entry, one: Reference, references: Sequence[Reference]) -> Composed:
    """Count the rows of another table that go, or lose their link, with those of the policy."""
    return SQL(
        "SELECT pg_catalog.count(*) FROM {other} AS r INNER JOIN {table} AS t ON {joined} "
        "WHERE {due} AND {held} IS NOT TRUE AND {needed} IS NOT TRUE"
    ).format(
        other=Identifier(one.schema, one.table_name),
        table=Identifier(policy.schema, policy.name),
        joined=_joined(one),
        due=due(policy),
        held=held(policy, entry, references),
        needed=referenced(references),
    )


def batch(
    policy: Policy,
    entry: Entry,
    leg: Leg,
    references: Sequence[Reference],
    dependents: Sequence[Reference],
    *,
    after: str | None,
    blocks: tuple[int, int] | None,
    rows: int | None,
    careful: bool,
) -> Composed:
    """Take the next rows of a leg; gives how many and the last time reached, or nothing where the count is enough.

    With ``blocks`` it reads these blocks of the table, else it goes by the index, from the time ``after`` on, and takes
    ``rows``. When ``careful`` the rows are locked first, and what somebody else has locked is passed over: that takes
    twice as long, and is for when the other way had to wait.
    """
    place = Identifier(leg.leaf.schema, leg.leaf.name)
    conditions: list[Composable] = [
        due(policy, by=leg.by),
        SQL("{} IS NOT TRUE").format(held(policy, entry, references)),
    ]
    if policy.has_hold:
        # Said by itself too, as the index for it is partial.
        conditions.append(SQL("NOT t.legal_hold"))
    if policy.action != "pseudonymise" and any(one.action in ("a", "r") for one in references):
        conditions.append(SQL("{} IS NOT TRUE").format(referenced(references)))
    column = Identifier("t", leg.column) if leg.column else None
    if blocks:
        ends = [SQL("t.ctid >= {}::tid"), SQL("t.ctid < {}::tid")]
        conditions[:0] = [end.format(Literal(f"({at},0)")) for end, at in zip(ends, blocks, strict=True)]
    if column is not None and after is not None:
        conditions.append(SQL("{} >= {}").format(column, Literal(after)))
    where = SQL("\n        AND ").join(conditions)
    if blocks and not careful and not dependents:
        return SQL("{change}\nWHERE {where};").format(
            change=_change(policy, entry, place, joined=False), where=SQL("\n    AND ").join(conditions)
        )
    keys = sorted({theirs for one in dependents for _, theirs in one.pairs})
    return SQL(
        "WITH doomed AS MATERIALIZED (\n"
        "    SELECT t.ctid AS at, {time} AS time{keys}\n"
        "    FROM ONLY {place} AS t\n"
        "    WHERE {where}{order}{limit}{lock}\n"
        "), {dependents}gone AS (\n"
        "    {change}\n"
        "    WHERE t.ctid = d.at\n"
        "    RETURNING d.time\n"
        ")\n"
        "SELECT pg_catalog.count(*) AS rows, pg_catalog.max(g.time)::text AS reached FROM gone AS g;"
    ).format(
        time=column or SQL("NULL::timestamptz"),
        keys=SQL("").join(SQL(", {} AS {}").format(Identifier("t", key), Identifier(f"key_{key}")) for key in keys),
        place=place,
        where=where,
        order=SQL("\n    ORDER BY {}").format(column) if column is not None else SQL(""),
        limit=SQL("\n    LIMIT {}").format(Literal(rows)) if rows is not None else SQL(""),
        lock=SQL("\n    FOR UPDATE OF t SKIP LOCKED" if careful else ""),
        dependents=SQL("").join(_with(one, number) for number, one in enumerate(dependents)),
        change=_change(policy, entry, place, joined=True),
    )


def _with(one: Reference, number: int) -> Composed:
    pairs = [
        SQL("{} = {}").format(Identifier("r", ours), Identifier("d", f"key_{theirs}")) for ours, theirs in one.pairs
    ]
    return SQL("{} AS (DELETE FROM {} AS r USING doomed AS d WHERE {}),\n").format(
        Identifier(f"with_{number}"), Identifier(one.schema, one.table_name), SQL(" AND ").join(pairs)
    )


def _change(policy: Policy, entry: Entry, place: Identifier, *, joined: bool) -> Composed:
    """The change up to its WHERE; ``joined`` where the doomed rows were picked before."""
    if policy.action != "pseudonymise":
        return SQL("DELETE FROM ONLY {} AS t{}").format(place, SQL(" USING doomed AS d" if joined else ""))
    columns: list[Composable] = [SQL("{} = NULL").format(Identifier(name)) for name in entry.redact]
    columns.append(SQL("identity_erased_at = pg_catalog.now()"))
    more = SQL(" FROM doomed AS d" if joined else "")
    return SQL("UPDATE ONLY {} AS t SET {}{}").format(place, SQL(", ").join(columns), more)


def locked(policy: Policy, entry: Entry, leg: Leg, references: Sequence[Reference]) -> Composed:
    """Give the transactions that last touched some of the rows that were passed over."""
    return SQL(
        "SELECT DISTINCT x.id FROM (SELECT t.xmax::text AS id FROM ONLY {} AS t WHERE {} AND {} IS NOT TRUE "
        "AND t.xmax <> '0'::xid LIMIT 50) AS x"
    ).format(Identifier(leg.leaf.schema, leg.leaf.name), due(policy, by=leg.by), held(policy, entry, references))
