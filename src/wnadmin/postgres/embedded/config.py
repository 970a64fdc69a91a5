"""What a private server is told: settings, who may come in, and under which name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wnadmin.errors import UsageError
from wnadmin.postgres.embedded.places import read, write
from wnadmin.postgres.embedded.procs import Account

SUPERUSER = "postgres"
CONF = "wnadmin.conf"
PORT = 5432

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*")

# These say where the server lives; another value would send it somewhere wnadmin does not look.
_OURS = frozenset(
    {
        "config_file",
        "data_directory",
        "external_pid_file",
        "hba_file",
        "ident_file",
        "unix_socket_directories",
    }
)
# These must hold whatever ALTER SYSTEM says, so they are given on the server's command line.
_ON_COMMAND_LINE = ("listen_addresses", "port")

_DEFAULTS: Mapping[str, str] = {
    # What the database's own document recommends, as far as it fits a small machine: shared_buffers
    # and effective_cache_size are half of its values, work_mem is a quarter because 200 may connect.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "log_min_duration_statement": "1000",
    # Not 'mod', as there: it copies each row's personal data into the log. Bound values stay out, too.
    "log_statement": "ddl",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    # Hundreds of partitions are created, locked and dropped in one transaction.
    "max_locks_per_transaction": "512",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "track_io_timing": "on",
    "track_functions": "pl",
    # One file for each day of the week, begun anew a week later: the log cannot grow without end.
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_file_mode": "0600",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_checkpoints": "on",
    "log_lock_waits": "on",
    "log_autovacuum_min_duration": "10s",
    "unix_socket_permissions": "0700",
}
# For tests. Commits still wait for the write, so a killed server loses nothing; a dead machine loses it all.
_WITHOUT_FSYNC: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
}


def check_options(options: Mapping[str, str], hba: Sequence[str]) -> None:
    """Refuse, as :class:`UsageError`, what no configuration file can hold or no caller may set."""
    for name, value in options.items():
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not the name of a setting", next="write NAME=VALUE")
        if name.lower() in _OURS:
            raise UsageError(f"{name} is not yours to set", why="wnadmin decides where its server lives")
        if not value.isprintable():
            raise UsageError(f"the value of {name} has control characters in it")
    for line in hba:
        if not line.replace("\t", " ").isprintable():
            raise UsageError(f"{line!r} is not one line of pg_hba.conf")


def settings(options: Mapping[str, str], *, log: Path, fsync: bool, preload: bool) -> dict[str, str]:
    """Every setting of a start: the defaults, then fsync, then the caller's ``options``."""
    chosen = dict(_DEFAULTS)
    chosen["log_directory"] = str(log)
    if preload:
        chosen["shared_preload_libraries"] = "pg_stat_statements"
        chosen["pg_stat_statements.track"] = "all"
    if not fsync:
        chosen |= _WITHOUT_FSYNC
    return chosen | {name.lower(): value for name, value in options.items()}


def command_line(options: Mapping[str, str], socket: Path) -> list[str]:
    """Arguments of ``postgres`` that no configuration file may contradict; by default no TCP at all."""
    lowered = {name.lower(): value for name, value in options.items()}
    listed = '"' + str(socket).replace('"', '""') + '"'  # a comma or blank in the path is no separator
    words = {
        "listen_addresses": lowered.get("listen_addresses", ""),
        "port": lowered.get("port", str(PORT)),
        "unix_socket_directories": listed,
    }
    return [word for name, value in words.items() for word in ("-c", f"{name}={value}")]


def write_files(
    data: Path,
    account: Account,
    chosen: Mapping[str, str],
    *,
    hba: Sequence[str],
    users: Iterable[str],
    major: int,
) -> None:
    """Write the settings, pg_hba.conf and pg_ident.conf into ``data``; each start does so anew."""
    lines = [f"{name} = {_quoted(value)}" for name, value in chosen.items() if name not in _ON_COMMAND_LINE]
    head = "# Written by wnadmin at each start; ALTER SYSTEM overrides it.\n"
    write(data / CONF, head + "\n".join(lines) + "\n", owner=account)
    write(data / "pg_hba.conf", _hba(hba, major), owner=account)
    write(data / "pg_ident.conf", _ident(users, major), owner=account)
    main = read(data / "postgresql.conf")
    include = f"include '{CONF}'"
    if include not in main.splitlines():
        write(data / "postgresql.conf", f"{main}\n{include}\n", owner=account)


def _hba(caller: Sequence[str], major: int) -> str:
    """Who may come in over the socket.

    The wall is the socket's directory: mode 0700, so only the server's own user and root reach it.
    The kernel's word for who is calling (``peer``) stands behind it, with a map that lets these
    users be ``postgres``. They must also be able to log in as any other role, as the tests of
    row-level security do. From 16 on the map can say so. Before, a map must name each role, and
    roles are made after this file: there the other roles are trusted, behind the same wall. Nobody
    gains by it, since whoever passes the wall may be ``postgres`` already.
    No line lets TCP in; a caller who wants it, or passwords, gives lines, and they are read first.
    """
    others = "peer map=wnadmin" if major >= 16 else "trust"
    return "\n".join(
        [
            "# Written by wnadmin at each start.",
            *caller,
            f"local all         {SUPERUSER} peer map=wnadmin",
            f"local replication {SUPERUSER} peer map=wnadmin",
            f"local all         all {others}",
            f"local replication all {others}",
            "",
        ]
    )


def _ident(users: Iterable[str], major: int) -> str:
    role = "all" if major >= 16 else SUPERUSER
    names = dict.fromkeys(users)
    rows = ['wnadmin "{}" {}'.format(name.replace('"', '""'), role) for name in names]
    return "\n".join(["# Written by wnadmin at each start.", *rows, ""])


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
