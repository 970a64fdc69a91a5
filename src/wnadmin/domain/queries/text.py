"""The text of a statement without what it may quote."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "'***'"

# Statistics keep the text of utility statements as it was typed, and now and then that of others: a password, a
# key or somebody's name may stand in any string. What is cut off in the middle of a string is a string to the end.
_TOKEN: Final = re.compile(
    r"""(?P<name>"(?:[^"]|"")*(?:"|\Z))
      | (?P<line>--[^\n]*)
      | (?P<comment>/\*)
      | \$(?P<tag>[A-Za-z_\x80-\uffff][\w]*|)\$(?:.*?\$(?P=tag)\$|.*\Z)
      | (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
      | (?:(?<![\w$])(?:[bBxXnN]|[uU]&))?'(?:[^']|'')*(?:'|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_EDGE: Final = re.compile(r"/\*|\*/")


def masked(query: str) -> str:
    """Give the statement with every string replaced and every comment left out; names and numbers stay."""
    parts: list[str] = []
    at = 0
    while match := _TOKEN.search(query, at):
        parts.append(query[at : match.start()])
        at = match.end()
        if match["name"]:
            parts.append(match[0])
        elif match["comment"]:
            at = _end_of_comment(query, at)
        elif not match["line"]:
            parts.append(MASK)
    parts.append(query[at:])
    return "".join(parts).strip()


def _end_of_comment(query: str, at: int) -> int:
    """Give where a comment ends that began before ``at``; comments nest."""
    depth = 1
    while depth and (edge := _EDGE.search(query, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at if not depth else len(query)
