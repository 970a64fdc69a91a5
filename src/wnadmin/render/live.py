"""One look of a watch as a frame: drawn over the one before, in place, never taller than the screen.

Nothing is erased before it is written over, so the picture does not flicker, also where every byte crosses a slow
line. What stood on the screen before the watch is scrolled up, not thrown away.
"""

from __future__ import annotations

import os
import re
from typing import Final, TextIO

from rich.cells import cell_len, chop_cells

HOME: Final = "\x1b[H"
TO_END_OF_LINE: Final = "\x1b[K"
TO_END_OF_SCREEN: Final = "\x1b[J"

DEFAULT_SIZE: Final = (80, 24)
SMALLEST: Final = 4
"""Lines of the smallest frame: fewer hold neither a heading nor a word about what is left out."""

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")
_PLAIN: Final = "\x1b[0m"


def size_of(stream: TextIO) -> tuple[int, int]:
    """Give columns and lines of the terminal as it is now; 80 and 24 when it does not know."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        columns, lines = DEFAULT_SIZE
    return columns or DEFAULT_SIZE[0], lines or DEFAULT_SIZE[1]


def frame(text: str, columns: int, lines: int, *, first: bool) -> str:
    """Give what to send for ``text`` to stand on a screen of this size, and nothing else.

    ``text`` is printable but for newlines and styles. What does not fit is left out, and the last line says how
    much. The cursor ends on the line below, so that whatever is said on stderr appears under the frame. ``first``
    scrolls up what stands there already.
    """
    room = max(lines, SMALLEST) - 1
    wanted = text.rstrip("\n").split("\n")
    heights = [_height(line, columns) for line in wanted]
    if sum(heights) > room:
        kept, used = 0, 1
        while used + heights[kept] <= room:
            used += heights[kept]
            kept += 1
        left = len(wanted) - kept
        wanted = [*wanted[:kept], _PLAIN * ("\x1b" in text) + _left_out(left, columns)]
    up = "\n" * (lines - 1) if first else ""
    return up + HOME + "".join(_over(line, columns) for line in wanted) + TO_END_OF_SCREEN


def leave() -> str:
    """Give what to send at the end: the cursor at the start of a clean line, also after an echoed ``^C``."""
    return "\r" + TO_END_OF_SCREEN


def _left_out(lines: int, columns: int) -> str:
    words = f"({lines} more line{'' if lines == 1 else 's'}: make the window taller, or leave --watch out)"
    return words if len(words) <= columns else f"({lines} more)"


def _height(line: str, columns: int) -> int:
    return max(len(chop_cells(_STYLE.sub("", line), columns)), 1)


def _over(line: str, columns: int) -> str:
    # Behind a line that ends at the edge the cursor still stands on the last cell, which would be erased.
    cells = cell_len(_STYLE.sub("", line))
    full = cells > 0 and cells % columns == 0
    return line + ("" if full else TO_END_OF_LINE) + "\n"
