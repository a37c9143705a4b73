"""What runs are called that a command line names: ``NAME=PATH``, or the last part of the path."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.per_case import PER_CASE_FILE, SUMMARY_FILE
from utils.inputs import CONTROL_CHARACTERS, shown

# Called like the results folder that they are in.
RESULT_FILES = (SUMMARY_FILE, PER_CASE_FILE, "model_latest.pth", "model_previous.pth", "model_best.pth")


class NamedPath(NamedTuple):
    """A run on the command line."""

    name: str
    path: Path


def named_paths(texts: Sequence[str | Path], option: str) -> list[NamedPath]:
    """The names and paths of runs.

    Args:
        texts: each ``NAME=PATH`` or ``PATH``; a text that is a path as it stands, equals sign and all, is one.
        option: for messages.

    Returns:
        In the order given; without a name, the last folder of the path, or the whole path where two end alike.

    Raises:
        ValueError: for a name that is empty, holds control characters, or is there twice.
    """
    given, paths = [], []
    for text in map(str, texts):
        parts = text.split("=")
        splits = [("=".join(parts[:index]), "=".join(parts[index:])) for index in range(1, len(parts))]
        # Names hold equals signs, too, as lr=0.1: the path is what is there.
        name, rest = next(
            (split for split in splits if split[1] and Path(split[1]).exists()), (splits or [("", "")])[0]
        )
        named = bool(splits) and not Path(text).exists()
        if named and not (name.strip() and rest):
            raise ValueError(f"{option}: expected NAME=PATH, or a path, found {shown(text)}")
        given.append(name.strip() if named else None)
        paths.append(Path(rest if named else text))
    names = [name or other for name, other in zip(given, distinct_names(paths), strict=True)]
    for index, name in enumerate(names):
        if CONTROL_CHARACTERS.search(name):
            raise ValueError(f"{option}: expected names on one line, found {shown(name)}")
        if name in names[:index]:
            raise ValueError(
                f"{option}: expected a name of its own for each run, found {shown(name)} twice; name them NAME=PATH"
            )
    return [NamedPath(name, path) for name, path in zip(names, paths, strict=True)]


def distinct_names(paths: Sequence[str | Path]) -> list[str]:
    """The last part of each path, and the path as given where another path ends alike."""
    folders = [Path(os.path.abspath(path)) for path in paths]
    names = [(folder.parent if folder.name in RESULT_FILES else folder).name for folder in folders]
    different = Counter(name for name, _ in set(zip(names, folders, strict=True)))
    return [str(path) if different[name] > 1 else name for path, name in zip(paths, names, strict=True)]
