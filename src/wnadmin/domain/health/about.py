"""What there is to know about checks without looking at a server, and what a login needs to see it all."""

from __future__ import annotations

from collections.abc import Mapping

from wnadmin import assets
from wnadmin.domain.health import checks
from wnadmin.domain.health.checks import Check, Limits
from wnadmin.domain.health.look import Need, privileges
from wnadmin.domain.health.quantities import show
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database
from wnadmin.results import Column, Finding, Findings, Report, Table

RESERVED = "member:pg_use_reserved_connections"
"""Lets a monitor in when all ordinary slots are taken, where `reserved_connections` (16 and newer) keeps some."""


def listing(playbooks: Mapping[str, str]) -> Report:
    """List every check."""
    columns = (
        Column("id", "check"),
        Column("area"),
        Column("title"),
        Column("warn"),
        Column("critical"),
        Column("presets"),
        Column("playbook"),
    )
    rows = tuple(
        (
            check.id,
            check.area,
            check.title,
            bound(check, check.limits.warn),
            bound(check, check.limits.critical),
            ", ".join(check.presets),
            playbooks.get(check.id, ""),
        )
        for check in checks.every()
    )
    # They stand by area, and with it the table is wider than a terminal.
    few = tuple((id, *more) for id, _, *more in rows)
    shown = Table("checks", (columns[0], *columns[2:]), few)
    return Report("health-list", (Table("checks", columns, rows, shown=shown),), next="wnadmin health explain CHECK")


def explain(id: str, limits: Mapping[str, Limits], playbooks: Mapping[str, str], *, sql_only: bool) -> Report:
    """Print a check's page, its thresholds, what it needs, and the SQL it runs."""
    check = checks.named(id)
    file = assets.load(check.file)
    if sql_only:
        return Report("health-explain", text=file.text)
    mine = limits[id]
    facts = [
        ("warns", bound(check, mine.warn) or "never"),
        ("critical", bound(check, mine.critical) or "never"),
        ("needs", ", ".join(need.replace(":", " ") for need in check.needs) or "no privilege"),
        ("asked of", "every node" if check.where == "any" else f"a {check.where}"),
        ("since", f"PostgreSQL {check.since}"),
        ("cost", check.cost),
        ("presets", ", ".join(check.presets) or "none"),
        ("playbook", playbooks.get(id, "") or "none"),
    ]
    facts_page = "\n".join(f"- {name}: {value}" for name, value in facts)
    tables = (
        Table("facts", (Column("fact"), Column("value")), tuple(facts)),
        Table("sql", (Column("name"), Column("text")), ((file.name, file.text),)),
    )
    page = f"{check.page().rstrip()}\n\n## Facts\n\n{facts_page}\n\n## SQL\n\n```sql\n{file.text.rstrip()}\n```\n"
    next = f"wnadmin playbook show {playbooks[id]}" if id in playbooks else f"wnadmin health run --only {id}"
    return Report("health-explain", tables, next=next, page=page)


def bound(check: Check, value: float | None) -> str:
    """Write one threshold with its direction; '' where there is none."""
    if value is None:
        return ""
    if check.unit == "level":
        return "itself"
    per = " an hour" if check.rate else ""
    return f"{'<' if check.limits.below else '>'} {show(value, check.unit)}{per}"


def grants(db: Database, role: str) -> Findings:
    """Find out what ``role`` lacks to see everything; each finding has the statement that gives it."""
    wanted: dict[str, list[str]] = {}
    for check in checks.every():
        for need in check.needs:
            wanted.setdefault(need, []).append(check.id)
    exists = db.session.scalar("SELECT true FROM pg_catalog.pg_roles AS r WHERE r.rolname = %s", [role])
    if not exists:
        raise Refused(f"there is no role {role}", next="Name one with --role, or make it: wnadmin setup apply")
    needs = sorted(wanted)
    if int(db.session.scalar("SELECT pg_catalog.current_setting('reserved_connections', true)") or 0):
        needs.append(RESERVED)
        wanted[RESERVED] = ["any look when all ordinary connection slots are taken"]
    found = [_grant(one, role, wanted[one.need]) for one in privileges(db, role, needs)]
    missing = [one.remediation for one in found if one.severity != "ok"]
    statements = [one for one in missing if one.startswith(("GRANT ", "CREATE "))]
    next = f"in psql: {statements[0]};" if statements else missing[0] if missing else ""
    return Findings("health-grants", tuple(found), next=next)


def _grant(one: Need, role: str, users: list[str]) -> Finding:
    kind, _, name = one.need.partition(":")
    what = {"member": "membership in", "select": "reading", "execute": "calling", "extension": "extension"}[kind]
    for_ = f"for {', '.join(users[:4])}{' …' if len(users) > 4 else ''}"
    if one.met:
        severity, detail, fix = "ok", f"{role} has it, {for_}", ""
    elif one.present or kind == "extension":
        severity, detail, fix = "warn", f"{role} lacks it, {for_}", one.remedy
    else:
        severity, detail, fix = "unknown", f"{name} does not exist here, {for_}", "wnadmin setup status"
    return Finding(
        id=f"grants:{name}",
        check="grants",
        severity=severity,  # type: ignore[arg-type]  # one of the three above
        detail=detail,
        evidence="none" if severity == "unknown" else "complete",
        object=f"{what} {name}",
        remediation=fix,
        sql="queries/health/needs",
        waiver_key=f"grants:{name}",
    )
