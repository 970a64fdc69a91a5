"""What a stream is: a terminal or not, how wide, in colour or not, and how text gets onto it."""

from __future__ import annotations

import os
from typing import Final, TextIO

DEFAULT_WIDTH: Final = 80
NARROWEST: Final = 20


def is_terminal(stream: TextIO) -> bool:
    """Say whether ``stream`` is a terminal; a closed stream is none."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def is_dumb() -> bool:
    """Say whether the terminal understands no escape sequences at all."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def use_color(stream: TextIO, color: bool | None) -> bool:
    """Decide about escape sequences for style: as told, or on a terminal unless NO_COLOR or TERM=dumb."""
    if color is not None:
        return color
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and not is_dumb()


def width_of(stream: TextIO, width: int | None) -> int:
    """Give the width in cells: as told, COLUMNS, what the terminal says, or 80."""
    if width is None:
        told = os.environ.get("COLUMNS", "")
        width = int(told) if told.isascii() and told.isdigit() else 0
    if width <= 0 and is_terminal(stream):
        try:
            width = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            width = 0
    return max(width, NARROWEST) if width > 0 else DEFAULT_WIDTH


def speaks_unicode(stream: TextIO) -> bool:
    """Say whether ``stream`` takes every character; a stream in memory does."""
    encoding = getattr(stream, "encoding", None)
    return encoding is None or str(encoding).lower().replace("_", "-").startswith("utf")


def emit(stream: TextIO, text: str) -> None:
    """Write text for people; what the stream's encoding cannot express becomes a visible escape."""
    encoding = str(getattr(stream, "encoding", None) or "utf-8")
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def emit_utf8(stream: TextIO, text: str) -> None:
    """Write text for machines: UTF-8 whatever the locale says, since JSON and a CSV reader expect it."""
    buffer = getattr(stream, "buffer", None)
    if buffer is None or speaks_unicode(stream):
        stream.write(text)
        return
    stream.flush()
    buffer.write(text.encode("utf-8"))
    buffer.flush()
