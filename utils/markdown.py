"""Markdown in which nothing from outside can become structure."""

from __future__ import annotations

import re
from collections.abc import Sequence


def code(value) -> str:
    """Any value as a code span in one line: in it neither Markdown, nor HTML, nor addresses mean anything.

    Characters that cannot be printed, among them those that turn the direction of writing, become U+FFFD. An empty
    text becomes a dash.
    """
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(value).split()))
    if not text:
        return "–"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # A backtick at the end would belong to the fence.
    edge = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; a bar in a cell does not start another."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(header), *rest])
