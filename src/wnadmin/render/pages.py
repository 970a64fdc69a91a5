"""Markdown pages on a terminal: as it is written, with style, and with code that can be copied as it stands."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, ListItem, Markdown, MarkdownElement
from rich.segment import Segment
from rich.text import Text
from rich.theme import Theme

_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")

# No background anywhere: what is readable on black is not on white.
_THEME: Final = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold cyan",
        "markdown.h3": "bold",
        "markdown.code": "cyan",
        "markdown.code_block": "none",
    }
)


class _Left(Heading):
    """A heading at the left margin, as everything else that a person scans for."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.text.copy()
        text.justify = "left"
        if console.color_system is None:
            # Where there is no style, the sign of a heading is what it was written with.
            text = Text("#" * int(self.tag[1:]) + " ").append_text(text)
        yield text


class _Code(CodeBlock):
    """Code without colours of a language, a box, padding or breaks: what is pasted is what was written."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip().split("\n"):
            style = "bold" if line.startswith("$ ") else "none"
            yield Text(line, style=style, no_wrap=True, overflow="ignore", end="\n")


class _Item(ListItem):
    """A list item with a bullet that every terminal and every encoding has."""

    def render_bullet(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.elements, options.update(width=options.max_width - 2), style=self.style)
        for number, line in enumerate(lines):
            yield Segment("- " if number == 0 else "  ")
            yield from line
            yield Segment("\n")


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Left,
        "fence": _Code,
        "code_block": _Code,
        "list_item_open": _Item,
    }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with console.use_theme(_THEME):
            yield from list(super().__rich_console__(console, options))


def markdown(text: str, *, color: bool) -> Markdown:
    """Give Markdown to be printed; links are shown, not hidden behind their words.

    Without colour headings and code within a sentence keep the signs they are written with.
    """
    return _Page(text if color else _keeping_quotes(text), hyperlinks=False)


def _keeping_quotes(text: str) -> str:
    inside = False
    lines = []
    for line in text.split("\n"):
        inside ^= line.startswith("```")
        lines.append(line if inside else _INLINE.sub(r"`` `\1` ``", line))
    return "\n".join(lines)
