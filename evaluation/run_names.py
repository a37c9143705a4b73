"""Names of runs on the command line: ``NAME=PATH``, or the last part of the path."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.per_case import PER_CASE_FILE, SUMMARY_FILE
from utils.inputs import CONTROL_CHARACTERS, shown

# Files of a run folder: the options that it began with, and its checkpoints.
ARGS_FILE = "args.json"
LATEST_FILE, PREVIOUS_FILE, BEST_FILE = "model_latest.pth", "model_previous.pth", "model_best.pth"
# Files that are named by the results folder that they are in.
RESULT_FILES = (SUMMARY_FILE, PER_CASE_FILE, LATEST_FILE, PREVIOUS_FILE, BEST_FILE)


class NamedPath(NamedTuple):
    """A run on the command line."""

    name: str
    path: Path


def named_paths(texts: Sequence[str | Path], option: str) -> list[NamedPath]:
    """The names and paths of runs.

    Args:
        texts: each ``NAME=PATH`` or ``PATH``; a text that exists as a path, equals signs included, is one.
        option: for messages.

    Returns:
        In the order given; without a name, as of ``distinct_names``.

    Raises:
        ValueError: for a name that is empty, holds control characters, or is there twice.
    """
    given, paths = [], []
    for text in map(str, texts):
        parts = text.split("=")
        splits = [("=".join(parts[:index]), "=".join(parts[index:])) for index in range(1, len(parts))]
        # Names may hold equals signs, as lr=0.1: the path is the first end that exists.
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
    """The shortest end of each path that tells it from the others; for a file of results, of its folder's path."""
    places = [Path(os.path.abspath(path)) for path in paths]
    folders = {place: place.parent if place.name in RESULT_FILES else place for place in places}
    shared = {folder for folder, number in Counter(folders.values()).items() if number > 1}
    # Two files of one folder are named by file.
    ends = {place: place if folder in shared else folder for place, folder in folders.items()}
    return [_shortest_tail(ends[place], ends.values()) for place in places]


def _shortest_tail(path: Path, among: Collection[Path]) -> str:
    tails = (path.parts[-length:] for length in range(1 + (path.name in RESULT_FILES), len(path.parts)))
    others = [other.parts for other in among if other != path]
    tail = next((tail for tail in tails if all(parts[-len(tail) :] != tail for parts in others)), path.parts)
    return Path(*tail).as_posix()
