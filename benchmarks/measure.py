"""Timing: peers take turns in one run, so that whatever else the machine does falls on both alike."""

from __future__ import annotations

import math
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``measured``, ``peer`` and ``bound`` are in ``unit``; ``bound`` None: no promise.

    ``ratio_bound`` is the promised ratio to the peer, ``least`` turns the bound into a lower one.
    """

    name: str
    promise: str
    unit: str
    measured: float
    peer: float | None = None
    peer_name: str = ""
    bound: float | None = None
    least: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times the peer; None without one."""
        return None if not self.peer else self.measured / self.peer

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISS``; ``-`` where nothing was promised."""
        if self.bound is None:
            return "-"
        kept = self.measured >= self.bound if self.least else self.measured <= self.bound
        return "ok" if kept else "MISS"


def seconds(work: Work) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def turns(works: Mapping[str, Work], rounds: int, *, warm: int = 1) -> dict[str, list[float]]:
    """Time each work ``rounds`` times, one after the other, the order turned round each time."""
    for _ in range(warm):
        for work in works.values():
            work()
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        order = list(works.items())
        for name, work in order if number % 2 == 0 else reversed(order):
            found[name].append(seconds(work))
    return found


def median(times: Sequence[float]) -> float:
    """The middle."""
    return statistics.median(times)


def percentile(times: Sequence[float], share: float) -> float:
    """The smallest time that ``share`` of all do not exceed."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def process(argv: Sequence[str], env: Mapping[str, str]) -> Work:
    """A program run to its end; a failure shows what it said."""

    def work() -> None:
        done = subprocess.run(
            argv, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RuntimeError(f"{' '.join(argv[:6])} ended with {done.returncode}: {' | '.join(said[-3:])}")

    return work


def table(rows: Sequence[Row]) -> str:
    """Write the rows as one table of text."""
    head = ("promise", "measured", "peer", "ratio", "bound", "")
    lines = [head]
    for row in rows:
        lines.append(
            (
                row.promise,
                _number(row.measured, row.unit),
                "" if row.peer is None else f"{_number(row.peer, row.unit)}  {row.peer_name}",
                "" if row.ratio is None else f"{row.ratio:.2f}",
                "" if row.bound is None else f"{'≥' if row.least else '≤'} {_number(row.bound, row.unit)}",
                row.verdict,
            )
        )
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, rule, *lines[1:])
    )


def _number(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.3f} s"
    if unit == "ms":
        return f"{value * 1000:.2f} ms"
    return f"{value:,.0f} {unit}"
