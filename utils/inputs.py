"""Untrusted input files: regular files alone, bounded reads, SHA-256, names escaped for display."""

import hashlib
import io
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

# Refused in names, as they would break a message or table into lines.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Characters of a text from a file, and items of a list, that a message shows.
SHOWN_LENGTH = 60
FEW = 5
# First bytes of binary files that are given in place of text, their kind, and advice.
BINARY_KINDS = (
    (b"PK\x03\x04", "a zip or Excel file", "unpack it, or save it as text (.csv)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "save it as text (.csv)"),
    (b"\x1f\x8b", "a gzip file", "unpack it"),
    (b"\x89HDF", "an HDF5 file", "export it as text (.csv)"),
)
# By the letter of ``ls -l``; opening or reading one of these may block for ever.
OTHER_KINDS = {"d": "a folder", "p": "a pipe", "s": "a socket", "c": "a device", "b": "a device"}


def open_input(path: str | Path) -> BinaryIO:
    """Open a regular file for reading bytes. One of size 0 is not read: files under /proc, of which some never end or
    never give a byte, have that size.

    Raises:
        FileNotFoundError: if there is none.
        OSError: for anything but a regular file, and one that cannot be opened; with its name.
    """
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return open(path, "rb") if status.st_size else io.BytesIO()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected a file, found none") from error
    except OSError as error:
        raise OSError(f"{path}: expected a readable file, found that it cannot be read: {error.strerror}") from error
    kind = OTHER_KINDS.get(stat.filemode(status.st_mode)[0], "something else")
    raise OSError(f"{path}: expected a regular file, found {kind}; name a file, or leave it out")


def paths_of(given: str | Path | Iterable[str | Path]) -> list[Path]:
    """One path or several as a list; a text is one path."""
    return [Path(one) for one in ([given] if isinstance(given, str | Path) else given)]


def read_input(path: str | Path, *, max_bytes: int | None = None) -> bytes:
    """Read a regular file; errors as of ``open_input``, and ValueError for more than ``max_bytes``."""
    with open_input(path) as file:
        try:
            content = file.read(-1 if max_bytes is None else max_bytes + 1)
        except OSError as error:
            raise OSError(f"{path}: expected a readable file, found that it cannot be read: {error}") from error
    if max_bytes is not None and len(content) > max_bytes:
        raise ValueError(f"{path}: expected a file of up to {max_bytes:,} bytes, found a larger one")
    return content


def refuse_binary(path: str | Path, content: bytes, expected: str, kinds: Iterable = ()) -> None:
    """Raise ValueError, with advice, for a known binary kind of file in place of text.

    Args:
        kinds: further ones, as in ``BINARY_KINDS``.
    """
    for beginning, kind, advice in (*BINARY_KINDS, *kinds):
        if content.startswith(beginning):
            raise ValueError(f"{path}: expected {expected} as text, found {kind}; {advice}")


def sha256_of(path: str | Path, *, max_bytes: int | None = None) -> str:
    """SHA-256 of a file, in hexadecimal; OSError where it is no file, cannot be read, or exceeds ``max_bytes``."""
    with open_input(path) as file:
        if max_bytes is not None and os.stat(path).st_size > max_bytes:
            raise OSError(f"{path}: expected a file of up to {max_bytes:,} bytes, found a larger one")
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text: object) -> str:
    """Escape control and unprintable characters in a text: names of files may hold anything.

    Spaces of all kinds stay: macOS writes narrow ones, and Japanese has wide ones.
    """
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def plain_id(name: str) -> str:
    """Unicode-normalised id (NFC): file systems, editors and trackers differ in accents."""
    return unicodedata.normalize("NFC", name)


def first_few(texts: Sequence[str], count: int = FEW) -> str:
    """The first few texts of a list, for a message."""
    return ", ".join(texts[:count]) + (", ..." if len(texts) > count else "")


def shown(text: str) -> str:
    """Quoted text for a message: on one line, cut if it is long."""
    if len(text) > SHOWN_LENGTH:
        return f"{text[:SHOWN_LENGTH]!r}... ({len(text)} characters)"
    return repr(text) if text else "nothing"
