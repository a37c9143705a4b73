"""By what a file is known again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from utils.inputs import open_input


def sha256_of(path: str | Path, *, max_bytes: int | None = None) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; OSError where it is no file, cannot be read, or is larger."""
    with open_input(path) as file:
        if max_bytes is not None and os.stat(path).st_size > max_bytes:
            raise OSError(f"{path}: expected a file of up to {max_bytes:,} bytes, found a larger one")
        return hashlib.file_digest(file, "sha256").hexdigest()
