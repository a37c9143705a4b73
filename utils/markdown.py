"""Tables in Markdown; whatever stands in a cell stays text."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What would start a cell, a tag, an entity, a link, code or emphasis. An underscore inside a word does none of it.
SPECIAL = re.compile(r"[\\|`*\[\]<>&]")


def markdown_table(rows: Sequence[Sequence]) -> str:
    """A table without a line break at its end; the first row is the header."""
    lines = [f"| {' | '.join(escaped(cell) for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def escaped(cell) -> str:
    """A cell's text, in which no name becomes markup or another row."""
    return SPECIAL.sub(_as_text, " ".join(str(cell).split()))


def _as_text(found: re.Match) -> str:
    # As entities, since readers of Markdown differ in what a backslash does to a tag.
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}")
