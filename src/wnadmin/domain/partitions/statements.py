"""Statements on partitions, composed from what the catalog holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wnadmin.domain.partitions import bounds
from wnadmin.domain.partitions.bounds import Span
from wnadmin.domain.partitions.values import Grant, Linked, Model
from wnadmin.errors import UsageError
from wnadmin.postgres.sql import SQL, Composable, Composed, Identifier, Literal

_PRIVILEGES: Final = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}
)
EXCLUDES: Final = "wnadmin_excludes_"
"""With this the name of a constraint begins that keeps rows of a partition to come out of the default partition."""


def become(role: str, *, local: bool) -> Composed:
    """Take the owner's role, for the transaction or for the session."""
    return SQL("SET {}ROLE {}").format(SQL("LOCAL " if local else ""), Identifier(role))


def patience(milliseconds: int, *, local: bool) -> Composed:
    """Wait for a lock no longer than this; 0 waits for ever."""
    return SQL("SET {}lock_timeout = {}").format(SQL("LOCAL " if local else ""), Literal(f"{milliseconds}ms"))


def with_policies() -> Composed:
    """Let an owner under its own policies attach an empty table: its foreign keys are looked at with them."""
    return Composed([SQL("SET LOCAL row_security = on")])


def lock(tables: Sequence[Linked]) -> Composed | None:
    """Lock tables against writers, in one statement and in their order; None for none."""
    if not tables:
        return None
    names = SQL(", ").join(Identifier(one.schema, one.name) for one in tables)
    return SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names)


def exclusive(schema: str, name: str) -> Composed:
    """Lock a table against everybody."""
    return SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(Identifier(schema, name))


def create(model: Model, name: str) -> Composed:
    """Make an empty table like the parent. Never with IDENTITY: from 17 on ATTACH refuses it."""
    words: list[Composable] = [
        SQL("CREATE {}TABLE {} (LIKE {} INCLUDING ALL EXCLUDING IDENTITY)").format(
            SQL("UNLOGGED " if model.persistence == "u" else ""),
            Identifier(model.schema, name),
            Identifier(model.schema, model.name),
        )
    ]
    if model.access_method:
        words.append(SQL("USING {}").format(Identifier(model.access_method)))
    if options := [*model.options, *model.toast_options]:
        words.append(SQL("WITH ({})").format(SQL(", ").join(_option(one) for one in options)))
    if model.tablespace:
        words.append(SQL("TABLESPACE {}").format(Identifier(model.tablespace)))
    return SQL(" ").join(words)


def _option(text: str) -> Composed:
    name, _, value = text.partition("=")
    return SQL("{} = {}").format(SQL(".").join(Identifier(part) for part in name.split(".")), Literal(value))


def take_over(model: Model, name: str, grants: Sequence[Grant], given: Iterable[str], comment: str) -> list[Composed]:
    """Give a new partition what LIKE and ATTACH do not.

    ``given`` are roles that default privileges gave something; what they keep is what the parent grants.
    """
    there = Identifier(model.schema, name)
    made = [comment_on(model.schema, name, comment)]
    if model.acting != model.owner and model.is_superuser:
        made.append(SQL("ALTER TABLE {} OWNER TO {}").format(there, Identifier(model.owner)))
    if model.rls_enabled:
        made.append(SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(there))
    if model.rls_forced:
        made.append(SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(there))
    if model.replica_identity in ("f", "n"):
        kind = "FULL" if model.replica_identity == "f" else "NOTHING"
        made.append(SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(there, SQL(kind)))
    revoked = sorted(set(given))
    # In the parent's order, so that both lists read alike.
    own = next((one for one in grants if one.is_owner), None)
    short = bool(grants) and (own is None or not _is_full(own))
    if short:
        revoked.append(model.owner)
    for role in revoked:
        made.append(SQL("REVOKE ALL ON TABLE {} FROM {}").format(there, _grantee(role)))
    for one in grants:
        if one.is_owner and not short:
            continue
        for privileges, ending in ((one.privileges, ""), (one.grantable, " WITH GRANT OPTION")):
            if privileges:
                made.append(
                    SQL("GRANT {} ON TABLE {} TO {}{}").format(
                        _list(privileges), there, _grantee(one.grantee), SQL(ending)
                    )
                )
    return made


def _is_full(own: Grant) -> bool:
    # An owner begins with everything; MAINTAIN came with 17, and with it so did every list made since.
    return _PRIVILEGES - {"MAINTAIN"} <= set(own.privileges or ()) | set(own.grantable or ())


def _list(privileges: Sequence[str]) -> Composed:
    if unknown := set(privileges) - _PRIVILEGES:
        raise UsageError(f"the privilege {min(unknown)} of a table is not known")
    return SQL(", ").join(SQL(one) for one in privileges)


def _grantee(role: str) -> Composable:
    return Identifier(role) if role else SQL("PUBLIC")


def attach(schema: str, table: str, part: tuple[str, str], span: Span, key_type: str) -> Composed:
    """Make a table a partition, with bounds that do not depend on the session's time zone."""
    return SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
        Identifier(schema, table),
        Identifier(*part),
        _bound(span.lower, key_type, "MINVALUE"),
        _bound(span.upper, key_type, "MAXVALUE"),
    )


def _bound(moment: datetime, key_type: str, otherwise: str) -> Composable:
    text = bounds.words(moment, key_type)
    return SQL(otherwise) if text is None else Literal(text)


def detach(schema: str, table: str, part: tuple[str, str], how: str = "") -> Composed:
    """Take a partition out; ``how`` is '', CONCURRENTLY or FINALIZE."""
    if how not in ("", "CONCURRENTLY", "FINALIZE"):
        raise UsageError(f"a partition is not detached {how}")
    words = SQL("ALTER TABLE {} DETACH PARTITION {}").format(Identifier(schema, table), Identifier(*part))
    return words + SQL(f" {how}") if how else words


def comment_on(schema: str, name: str, text: str | None) -> Composed:
    """Say something of a table, or nothing more."""
    return SQL("COMMENT ON TABLE {} IS {}").format(Identifier(schema, name), Literal(text))


def drop_constraint(schema: str, name: str, constraint: str) -> Composed:
    """Take a constraint from a table."""
    return SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(Identifier(schema, name), Identifier(constraint))


def drop(schema: str, name: str) -> Composed:
    """Drop a table that nothing depends on."""
    return SQL("DROP TABLE {}").format(Identifier(schema, name))


# --- default partitions -----------------------------------------------------------------------------------------


def within(key: str, span: Span, key_type: str) -> Composed:
    """Say that a row belongs to a stretch of time."""
    parts = [SQL("{} IS NOT NULL").format(Identifier(key))]
    for moment, sign in ((span.lower, ">="), (span.upper, "<")):
        if (text := bounds.words(moment, key_type)) is not None:
            parts.append(SQL("{} {} {}::{}").format(Identifier(key), SQL(sign), Literal(text), _type(key_type)))
    return SQL(" AND ").join(parts)


def exclude(default: tuple[str, str], constraint: str, key: str, span: Span, key_type: str) -> Composed:
    """Keep rows of a stretch out of the default partition; what is in it already is not looked at yet."""
    return SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK (NOT ({})) NOT VALID").format(
        Identifier(*default), Identifier(constraint), within(key, span, key_type)
    )


def validate(default: tuple[str, str], constraint: str) -> Composed:
    """Look whether all rows keep to a constraint; readers and writers go on."""
    return SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(Identifier(*default), Identifier(constraint))


def count(table: tuple[str, str], condition: Composable, most: int) -> Composed:
    """Count rows, up to ``most`` and one more."""
    return SQL("SELECT pg_catalog.count(*) FROM (SELECT 1 FROM ONLY {} WHERE {} LIMIT {}) AS x").format(
        Identifier(*table), condition, Literal(most + 1)
    )


def move(default: tuple[str, str], part: tuple[str, str], columns: Sequence[str], condition: Composable) -> Composed:
    """Move rows from the default partition into the table that is to take them."""
    names = SQL(", ").join(Identifier(one) for one in columns)
    return SQL(
        "WITH moved AS (DELETE FROM ONLY {} WHERE {} RETURNING {}) INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE"
        " SELECT {} FROM moved"
    ).format(Identifier(*default), condition, names, Identifier(*part), names, names)


def triggers(table: tuple[str, str], *, on: bool) -> Composed:
    """Let the triggers of users fire again, or not: a row that changes its place is no row that changes."""
    return SQL("ALTER TABLE {} {} TRIGGER USER").format(Identifier(*table), SQL("ENABLE" if on else "DISABLE"))


def _type(key_type: str) -> SQL:
    if key_type not in bounds.TIMES:
        raise UsageError(f"{key_type} is no type of time")
    return SQL({"date": "date"}.get(key_type, "timestamptz" if "with time" in key_type else "timestamp"))


# --- what must be kept ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hold:
    """A table whose rows may be on legal hold, by which columns one's own rows belong to it, and what is above it."""

    schema: str
    name: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    has_hold: bool
    above: tuple[Hold, ...] = ()


def any_row(schema: str, name: str) -> Composed:
    """Look whether a table has a row."""
    return SQL("SELECT EXISTS (SELECT 1 FROM ONLY {})").format(Identifier(schema, name))


def kept(schema: str, name: str, holds: Sequence[Hold], *, own: bool, until: bool) -> Composed | None:
    """Count the rows that must not go; None where no column says so of any."""
    conditions: list[Composable] = [_on_hold(one, "t", 1) for one in holds]
    if own:
        conditions.append(SQL("t.legal_hold"))
    if until:
        conditions.append(SQL("t.retention_until > pg_catalog.now()"))
    if not conditions:
        return None
    return SQL("SELECT pg_catalog.count(*) FROM ONLY {} AS t WHERE {}").format(
        Identifier(schema, name), SQL(" OR ").join(conditions)
    )


def _on_hold(one: Hold, below: str, floor: int) -> Composed:
    alias = f"h{floor}"
    same = SQL(" AND ").join(
        SQL("{} = {}").format(Identifier(alias, there), Identifier(below, here))
        for here, there in zip(one.columns, one.referenced, strict=True)
    )
    reasons: list[Composable] = [_on_hold(other, alias, floor + 1) for other in one.above]
    if one.has_hold:
        reasons.insert(0, SQL("{}.legal_hold").format(Identifier(alias)))
    return SQL("EXISTS (SELECT 1 FROM {} AS {} WHERE {} AND ({}))").format(
        Identifier(one.schema, one.name), Identifier(alias), same, SQL(" OR ").join(reasons)
    )
