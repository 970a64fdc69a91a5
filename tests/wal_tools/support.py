"""Programs that answer as a tool would: real processes, with what a real one said or what its sources say."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAID = Path(__file__).parent / "said"


def recorded(name: str) -> str:
    """What a real program printed."""
    return (SAID / name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program says to some words, and how it ends; ``does`` are commands of the shell before that."""

    out: str = ""
    err: str = ""
    code: int = 0
    does: str = ""


def stand_in(folder: Path, program: str, answers: Mapping[str, Answer]) -> Path:
    """Write a program that looks for these words in its arguments, in this order, and gives that answer."""
    cases = []
    for number, (words, answer) in enumerate(answers.items()):
        for stream, text in (("out", answer.out), ("err", answer.err)):
            (folder / f"{program}-{number}.{stream}").write_text(text, encoding="utf-8")
        says = [f"/bin/cat {shlex.quote(str(folder / f'{program}-{number}.{one}'))}" for one in ("out", "err")]
        commands = "\n".join([answer.does, says[0], f"{says[1]} >&2", f"exit {answer.code}"])
        cases.append(f"*{shlex.quote(words)}*)\n{commands}\n;;")
    path = folder / program
    path.write_text('#!/bin/sh\ncase "$*" in\n' + "\n".join(cases) + "\nesac\nexit 99\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def pgbackrest(folder: Path, document: Any, *, err: str = "", code: int = 0) -> None:
    """pgBackRest, as which `info` prints this."""
    out = document if isinstance(document, str) else json.dumps(document)
    stand_in(folder, "pgbackrest", {"version": Answer("pgBackRest 2.45\n"), "info": Answer(out, err, code)})


def barman(
    folder: Path,
    listed: Any,
    shown: Mapping[str, Any] | None = None,
    *,
    version: str = "3.19.1",
    err: str = "",
    code: int = 0,
) -> None:
    """Barman, as which list-backups prints ``listed`` and show-backup, by the label of the backup, one of ``shown``."""
    answers = {
        "--version": Answer(f"{version} Barman by EnterpriseDB (www.enterprisedb.com)\n"),
        "list-backups": Answer(listed if isinstance(listed, str) else json.dumps(listed), err, code),
    }
    for label, one in (shown or {}).items():
        answers[label] = one if isinstance(one, Answer) else Answer(one if isinstance(one, str) else json.dumps(one))
    answers.setdefault("show-backup", Answer('{"_ERROR": ["Unknown backup"]}', code=1))
    stand_in(folder, "barman", answers)


def walg(folder: Path, listed: Any, timelines: Any = "[]", *, made_for: str = "PostgreSQL") -> None:
    """WAL-G, as which backup-list and wal-show print these."""
    answers = {"--version": Answer(f"wal-g version v3.0.9\t0050d97\t2024.11.05_09:00:00\t{made_for}\n")}
    for words, one in (("backup-list --detail --json", listed), ("wal-show --detailed-json", timelines)):
        answers[words] = one if isinstance(one, Answer) else Answer(one if isinstance(one, str) else json.dumps(one))
    stand_in(folder, "wal-g", answers)
