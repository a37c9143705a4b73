"""By what a file is known again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from utils.inputs import open_input


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; OSError where it is no file or cannot be read."""
    with open_input(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
