"""Judge the server's settings: a finding each, with the statement that would mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from wnadmin.domain.config.look import Facts, Locks, Override, Setting
from wnadmin.domain.config.rules import Recommended
from wnadmin.domain.config.values import Kind, Value, parse, show
from wnadmin.results import Evidence, Finding, Findings, Severity

KIND: Final = "config-check"
PENDING: Final = "config.pending"
FILES: Final = "config.files"
LOCKS: Final = "config.lock-table"
SQL: Final = "queries/config/settings"
HIDDEN: Final = "***"

CROWD: Final = 10
"""One session in so many may read all partitions at once; fewer that fit are too few."""


def check(facts: Facts, recommended: Sequence[Recommended], *, production: bool) -> Findings:
    """Judge all: each recommended setting, what overrides it, what waits for a restart, and the files."""
    findings: list[Finding] = []
    for one in recommended:
        findings += _judge(one, facts, production)
    findings += [lock_table(facts.locks), *_pending(facts, recommended), *_files(facts)]
    return Findings(KIND, tuple(replace(one, sql=SQL, waiver_key=one.id) for one in findings), _notes(facts))


def _judge(one: Recommended, facts: Facts, production: bool) -> list[Finding]:
    if facts.version // 10000 < one.since:
        return [_finding(one, "skipped", f"PostgreSQL has it from {one.since} on")]
    if one.production and not production:
        return [_finding(one, "skipped", "for production profiles only")]
    if one.database:
        return [_for_database(one, facts)]
    setting = facts.settings.get(one.name)
    if setting is None:
        return [_absent(one, facts)]
    if one.unless and (other := facts.settings.get(one.unless)) is not None and other.setting:
        return [_finding(one, "ok", f"{one.unless} is set and stands in for it")]
    if setting.setting == "(disabled)":
        return [_finding(one, "skipped", "archive_mode is off")]
    value = facts.server_value(setting)
    if one.roles:
        return [_for_role(one, role, setting, value, facts) for role in one.roles]
    server = _masked(one, setting, facts) if value is None else _server(one, setting, value, facts)
    return [server, *_overrides(one, setting, value, facts)]


def _absent(one: Recommended, facts: Facts) -> Finding:
    library, dot, _ = one.name.partition(".")
    if dot:
        return _finding(one, "skipped", f"{library} is not loaded")
    if facts.login.sees_all:
        return _finding(one, "skipped", "this server does not have it")
    grant = f"GRANT pg_read_all_settings TO {_identifier(facts.login.login)}"
    return _finding(one, "unknown", "it is hidden from this login", remediation=grant)


def _masked(one: Recommended, setting: Setting, facts: Facts) -> Finding:
    own = {"client": "the connection's options", "session": "this session"}.get(setting.source, "what is set for it")
    return _finding(
        one,
        "unknown",
        f"the server's value is hidden behind this login's own, from {own}",
        remediation=f"look as another login, or {_grant_files(facts)}",
    )


def _server(one: Recommended, setting: Setting, value: Value, facts: Facts) -> Finding:
    fits = one.fits(value, setting.holds)
    severity: Severity = "ok" if fits else one.severity
    detail = [_whence(setting, brief=True)] if fits else [one.why, _whence(setting)]
    remedy = "" if fits else _remedy(one, setting, value)
    evidence: Evidence = "complete"
    if setting.pending:
        waiting = facts.waiting_value(setting)
        if waiting is None:
            evidence = "partial"
            detail.append(f"another value waits for a restart; to see it: {_grant_files(facts)}")
        else:
            later = _shown(one, waiting, setting)
            detail.append(f"{later} waits for a restart")
            if not fits and one.fits(waiting, setting.holds):
                remedy = "restart the server"
            elif fits and not one.fits(waiting, setting.holds):
                severity, remedy = one.severity, _remedy(one, setting, waiting)
    if one.unseen:
        evidence = "partial"
        detail.append(f"not seen from here: {one.unseen}")
    return _finding(
        one,
        severity,
        "; ".join(detail),
        evidence=evidence,
        measured=_shown(one, value, setting),
        remediation=remedy,
    )


def _overrides(one: Recommended, setting: Setting, server: Value | None, facts: Facts) -> Iterator[Finding]:
    for override in facts.overrides:
        if override.name.lower() != one.name.lower() or override.value is None:
            continue
        try:
            value = parse(override.value, setting.holds)
        except ValueError:
            yield _finding(one, "warn", "the server would refuse this value", thing=override.who())
            continue
        if value == server:
            continue
        fits = one.fits(value, setting.holds)
        than = "" if server is None else f"; the server has {_shown(one, server, setting)}"
        yield _finding(
            one,
            "ok" if fits else one.severity,
            ("" if fits else f"{one.why}; ") + f"set for {override.who()}{than}",
            thing=override.who(),
            measured=_shown(one, value, setting),
            remediation="" if fits else f"{override.statement()} RESET {one.name};",
        )


def _for_role(one: Recommended, role: str, setting: Setting, server: Value | None, facts: Facts) -> Finding:
    """Judge what a new session of ``role`` in this database would have."""
    if role not in facts.login.roles:
        return _finding(one, "skipped", "there is no such role", thing=role)
    override = _effective(one.name, role, facts)
    if override is not None and override.value is not None:
        try:
            value: Value | None = parse(override.value, setting.holds)
        except ValueError:
            return _finding(one, "warn", "the server would refuse the value that is set", thing=role)
        whence = f"set for {override.who()}"
    else:
        value, whence = server, "the server's value"
    if value is None:
        return replace(_masked(one, setting, facts), id=f"config.{one.name}:{role}", object=role)
    fits = one.fits(value, setting.holds)
    return _finding(
        one,
        "ok" if fits else one.severity,
        whence if fits else f"{one.why}; {whence}",
        thing=role,
        measured=_shown(one, value, setting),
        remediation="" if fits else f"ALTER ROLE {role} SET {one.name} = '{one.set}'; -- new sessions have it",
    )


def _for_database(one: Recommended, facts: Facts) -> Finding:
    """Judge a setting of WonderNest's own: only ALTER DATABASE fixes it, everything else a session can undo."""
    if not facts.login.wondernest:
        return _finding(one, "skipped", "this is no WonderNest database")
    database = facts.login.database
    kind = Kind("bool")
    value = next(
        (
            entry.value
            for entry in facts.overrides
            if entry.name == one.name and entry.database == database and not entry.role
        ),
        None,
    )
    try:
        fits = value is not None and one.fits(parse(value, kind), kind)
    except ValueError:
        fits = False
    return _finding(
        one,
        "ok" if fits else one.severity,
        "set for the database" if fits else f"{one.why}; it must be set for the database",
        measured=value or "not set",
        remediation=""
        if fits
        else f"ALTER DATABASE {_identifier(database)} SET {one.name} = on; -- new sessions have it",
    )


def lock_table(locks: Locks) -> Finding:
    """Judge how many statements over all partitions fit into the lock table at once."""
    if locks.parent is None:
        return Finding(LOCKS, LOCKS, "skipped", "nothing is partitioned here")
    fitting, wanted = locks.room // max(locks.needed, 1), max(locks.sessions // CROWD, 2)
    severity: Severity = "ok" if fitting >= wanted else "warn" if fitting >= 2 else "critical"
    detail = (
        f"a statement over all of {locks.parent} takes {locks.needed} locks; of {locks.room} "
        f"{fitting} such statements fit at once"
    )
    return Finding(
        LOCKS,
        LOCKS,
        severity,
        detail,
        measured=f"{fitting} sessions",
        threshold=f"at least {wanted}, a tenth of max_connections",
        remediation="" if severity == "ok" else "raise max_locks_per_transaction; -- then restart the server",
    )


def _effective(name: str, role: str, facts: Facts) -> Override | None:
    """Give what is in force for a role here: for both, then for the role, the database, and everybody."""
    found = {
        (bool(one.role), bool(one.database)): one
        for one in facts.overrides
        if one.here and one.name.lower() == name.lower() and one.role in (role, "")
    }
    order = ((True, True), (True, False), (False, True), (False, False))
    return next((found[key] for key in order if key in found), None)


def _pending(facts: Facts, recommended: Sequence[Recommended]) -> list[Finding]:
    judged = {one.name for one in recommended}
    found = [
        Finding(
            f"{PENDING}:{one.name}",
            PENDING,
            "warn",
            "a changed value waits for a restart" + ("; its own finding says more" if one.name in judged else ""),
            object=one.name,
            remediation="restart the server, or take the change back before somebody else does",
        )
        for one in facts.settings.values()
        if one.pending
    ]
    if found or facts.login.sees_all:
        return found or [Finding(PENDING, PENDING, "ok", "no setting waits for a restart")]
    # The rows that are hidden from it are those that need a restart most often.
    grant = f"GRANT pg_read_all_settings TO {_identifier(facts.login.login)}"
    detail = "no visible setting waits for a restart, and some are hidden"
    return [Finding(PENDING, PENDING, "unknown", detail, evidence="none", remediation=grant)]


def _files(facts: Facts) -> list[Finding]:
    if facts.files is None:
        detail = "whether the configuration files hold a line that the server refuses cannot be seen"
        return [Finding(FILES, FILES, "unknown", detail, evidence="none", remediation=_grant_files(facts))]
    waiting = {one.name for one in facts.settings.values() if one.pending}
    # A change that waits for a restart is no mistake; the server calls it one all the same.
    wrong = [one for one in facts.files if one.error and one.name not in waiting]
    if not wrong:
        return [Finding(FILES, FILES, "ok", "the server takes every line of its configuration files")]
    return [
        Finding(
            f"{FILES}:{one.name or one.line}",
            FILES,
            "critical",
            f"the server refuses this line: {one.error}; it may not start again",
            object=f"{one.file}:{one.line}",
            measured=one.name,
            remediation="correct the line, then: SELECT pg_reload_conf()",
        )
        for one in wrong
    ]


def _notes(facts: Facts) -> tuple[str, ...]:
    others = [f"{one.name} for {one.who()}" for one in facts.overrides if one.value is None]
    return (f"Also set, and not judged: {'; '.join(others)}.",) if others else ()


def _finding(
    one: Recommended,
    severity: Severity,
    detail: str,
    *,
    thing: str = "",
    measured: str = "",
    remediation: str = "",
    evidence: Evidence = "complete",
) -> Finding:
    name = f"config.{one.name}"
    return Finding(
        f"{name}:{thing}" if thing else name,
        name,
        severity,
        detail,
        evidence="none" if severity == "unknown" else evidence,
        object=thing,
        measured=measured,
        threshold=one.rule() if severity != "skipped" else "",
        remediation=remediation,
    )


def _shown(one: Recommended, value: Value, setting: Setting) -> str:
    if one.secret and value != "":
        return HIDDEN
    return show(value, setting.holds) or "''"


def _whence(setting: Setting, *, brief: bool = False) -> str:
    if setting.file:
        # Where all is well, the folder only takes room.
        return f"from {setting.file.rpartition('/')[2] if brief else setting.file}:{setting.line}"
    return {
        "default": "built in" if brief else "the built-in value",
        "configuration file": "from a configuration file",
        "command line": "from the server's command line",
        "environment variable": "from the server's environment",
        "override": "as the server was made or started",
    }.get(setting.source, "from a configuration file")


def _remedy(one: Recommended, setting: Setting, value: Value) -> str:
    if one.remedy:
        return one.remedy
    if setting.context == "internal":
        return "it was fixed when the server was made"
    if setting.source == "command line":
        return f"the server's command line sets it: start it with -c {one.name}={one.set or one.equals}"
    then = {
        "postmaster": "-- then restart the server",
        "backend": "SELECT pg_reload_conf(); -- new sessions have it",
        "superuser-backend": "SELECT pg_reload_conf(); -- new sessions have it",
    }.get(setting.context, "SELECT pg_reload_conf();")
    return f"ALTER SYSTEM SET {one.name} = {one.better(value, setting.holds)}; {then}"


def _grant_files(facts: Facts) -> str:
    login = _identifier(facts.login.login)
    return (
        f"GRANT SELECT ON pg_catalog.pg_file_settings TO {login}; "
        f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {login}"
    )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
