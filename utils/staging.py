"""Several files that belong together: all in their place, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from utils.files import TEMPORARY_PREFIX


@contextlib.contextmanager
def staging(path: str | os.PathLike) -> Iterator[Path]:
    """Yield ``path`` in a hidden folder of its own; when the block ends, all files there move beside ``path``.

    ``path`` itself comes last, so that whoever finds it finds the others. After an error nothing is left and older
    files stay as they were. Missing folders are made, and removed again after an error.

    Raises:
        OSError: where the folder cannot be written to, with its name.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]
    hidden = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=path.parent))
        yield hidden / path.name
        files = sorted(hidden.iterdir(), key=lambda file: file.name == path.name)
        for file in files:
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
        for file in files:
            os.replace(file, path.parent / file.name)
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)
        if not path.exists():
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
