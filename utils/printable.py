"""Text for terminals."""

from __future__ import annotations


def printable(text: object) -> str:
    """A text with what terminals obey or cannot show escaped: names of files may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
