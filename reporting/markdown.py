"""Markdown with escaping, so that no text from outside becomes markup."""

import re
from collections.abc import Sequence

# Cell without a value.
NOTHING = "–"
# Characters that start a cell, tag, entity, link, code or emphasis; an underscore inside a word does not.
SPECIAL = re.compile(r"[\\|`*\[\]<>&~]|(?<![^\W_])_|_(?![^\W_])")


def markdown_table(rows: Sequence[Sequence]) -> str:
    """Table of plain texts, escaped, without a line break at its end; the first row is the header."""
    return _joined([[escaped(cell) for cell in row] for row in rows])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Table of cells that are Markdown already, of which bars alone are escaped."""
    return _joined([[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)])


def escaped(cell) -> str:
    """Text escaped for a cell, on one line."""
    return SPECIAL.sub(_as_text, " ".join(str(cell).split()))


def code(value) -> str:
    """Any value as a code span on one line, in which Markdown, HTML and addresses have no effect.

    Unprintable characters, among them those that change the direction of writing, become U+FFFD. An empty text becomes
    a dash.
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
    # As entities, since renderers of Markdown differ in what a backslash does to a tag.
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}")
