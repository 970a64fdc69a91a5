"""What `backup create` is asked for: format, jobs, recipients, days, and what does not go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from wnadmin.domain.backup import files
from wnadmin.domain.backup.values import Format
from wnadmin.errors import Refused, UsageError
from wnadmin.results import Inputs
from wnadmin.settings import Profile

LOGIN: Final = "wondernest_backup"
"""The role that pg_dump logs in as, unless the profile or the command says otherwise."""

HORIZON: Final = 365
"""Days. No backup is kept longer: whoever was erased must not live on in one."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be made. ``name`` '' lets wnadmin choose; ``days`` until it expires."""

    folder: Path
    name: str
    jobs: int
    form: Format
    compress: str
    login: str
    recipients: tuple[str, ...]
    days: int


def wishes(
    profile: Profile,
    inputs: Inputs,
    *,
    to: Path,
    name: str,
    jobs: int,
    form: str,
    compress: str,
    login: str,
    encrypt_to: list[str],
    plain: bool,
    days: int,
) -> Wishes:
    """Put together what is wanted; UsageError for what does not go together, Refused for a dump in the clear.

    Recipients of the profile count unless ``plain`` is said; in production a dump in the clear must be asked for.
    """
    recipients = tuple(encrypt_to) or (() if plain else profile.backup_recipients)
    if plain and encrypt_to:
        raise UsageError("--plain and --encrypt-to contradict each other", next="Give one of them.")
    if profile.production and not recipients and not plain:
        raise Refused(
            "a backup of production is encrypted, and no recipient is known",
            why=f"The profile {profile.name} says production = true and has no backup_recipients.",
            next="Add backup_recipients = ['age1…'] to it, give --encrypt-to, or say --plain --reason '…'.",
        )
    if form not in ("", "custom", "directory"):
        raise UsageError(f"unknown format {form}", next="Use --dump-format custom or directory.")
    chosen = form or ("directory" if jobs > 1 and not recipients else "custom")
    if chosen == "custom" and jobs > 1:
        raise UsageError(
            "one file is not written by several jobs",
            why="An encrypted dump is one stream." if recipients else "pg_dump does so only in the directory format.",
            next="Leave out --jobs, or write --dump-format directory" + (" --plain." if recipients else "."),
        )
    if chosen == "directory" and recipients:
        raise UsageError(
            "a directory is not encrypted", why="age encrypts one stream.", next="Use --dump-format custom."
        )
    for one in recipients:
        if one.upper().startswith("AGE-SECRET-KEY"):
            raise UsageError(
                "a recipient is a secret key",
                why="It has been shown to this machine and must be replaced.",
                next="Give the public one, which begins with age1: age-keygen -y FILE",
            )
        if not one.startswith(("age1", "ssh-")) or not one.isprintable():
            raise UsageError("a recipient is no public key of age", next="It begins with age1 or ssh-.")
    if not 1 <= days <= HORIZON:
        raise UsageError(
            f"--days {days} is out of range",
            why="Who was erased must not live on in a backup.",
            next=f"Give 1 to {HORIZON}.",
        )
    known = inputs.get("name")
    return Wishes(
        to.absolute(),
        files.require_name(known) if isinstance(known, str) else files.require_name(name) if name else "",
        jobs,
        cast("Format", chosen),
        compress,
        login or profile.backup_login or LOGIN,
        recipients,
        days,
    )
