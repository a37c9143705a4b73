"""Several files that belong together: all in their place, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.files import temporary_beside
from utils.locks import in_use


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside ``path``, which goes in the end with what is left in it.

    What a kill leaves of it is for ``utils.files.remove_temporary``.
    """
    hidden = temporary_beside(path)
    hidden.mkdir()
    try:
        with in_use(hidden):
            yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def staged_folder(
    folder: str | os.PathLike, *, last: str, before_moving: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Atomic write of several files: yield a hidden folder, whose files take their places in ``folder`` at the end.

    Args:
        folder: made if absent, and removed again after an error; no other process is to write into it.
        last: the name of the file that moves last, so that whoever finds it finds the others.
        before_moving: called when all files are whole, as to remove older ones.

    After an error nothing of the block is left, and older files stay as they were.

    Raises:
        OSError: where the folder cannot be written to, with its name.
    """
    folder = Path(folder)
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder / last) as hidden:
            yield hidden
            files = sorted(
                (path for path in hidden.rglob("*") if path.is_file()), key=lambda f: (f == hidden / last, f)
            )
            for file in files:
                with open(file, "rb") as opened:
                    os.fsync(opened.fileno())
            before_moving()
            for file in files:
                place = folder / file.relative_to(hidden)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, place)
    finally:
        for parent in made:
            # What is in use stays.
            with contextlib.suppress(OSError):
                parent.rmdir()


@contextlib.contextmanager
def staged_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield ``path`` in a hidden folder, to be written there, with files that go beside it; as ``staged_folder``."""
    path = Path(path)
    with staged_folder(path.parent, last=path.name) as hidden:
        yield hidden / path.name
