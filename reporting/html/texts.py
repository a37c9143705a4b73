"""Text from outside, made harmless: what a reader sees is what the name holds, and it is never markup."""

from __future__ import annotations

import json
import unicodedata

from utils.files import finite

# In JSON within a <script> element these could end the element or, in old browsers, a line of it.
IN_SCRIPTS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
# Control, format (marks of direction, zero width), lone surrogates, line and paragraph separators.
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text) -> str:
    """``str(text)`` with every character that shows nothing, or turns its neighbours round, as its escape."""
    return "".join(_visible(character) for character in str(text))


def embedded_json(content) -> str:
    """ASCII JSON that may stand in a <script> element; numbers that are not finite become null."""
    return json.dumps(finite(content), separators=(",", ":"), allow_nan=False).translate(IN_SCRIPTS)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in INVISIBLE:
        return character
    return ESCAPES.get(character) or (
        f"\\u{ord(character):04x}" if ord(character) < 2**16 else f"\\U{ord(character):08x}"
    )
