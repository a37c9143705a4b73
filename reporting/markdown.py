"""Markdown in which nothing from outside can become structure."""

import re
from collections.abc import Sequence

# In a cell without a value.
NOTHING = "–"
# What would start a cell, a tag, an entity, a link, code or emphasis. An underscore inside a word does none of it.
SPECIAL = re.compile(r"[\\|`*\[\]<>&~]|(?<![^\W_])_|_(?![^\W_])")


def markdown_table(rows: Sequence[Sequence]) -> str:
    """A table of plain texts, without a line break at its end; the first row is the header."""
    return _joined([[escaped(cell) for cell in row] for row in rows])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; a bar in a cell does not start another."""
    return _joined([[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)])


def escaped(cell) -> str:
    """A cell's text, in which no name becomes markup or another row."""
    return SPECIAL.sub(_as_text, " ".join(str(cell).split()))


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


def _joined(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _as_text(found: re.Match) -> str:
    # As entities, since readers of Markdown differ in what a backslash does to a tag.
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}")
