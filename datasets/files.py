"""Where the files of samples are; their endings may differ from one to the next."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets.specs import DatasetSpec

MAP_FOLDER = Path("gaze", "crf_compat1")
UNFINISHED_FILE = Path("gaze", "unfinished.txt")
REPORT_FILE = Path("gaze", "report.json")


def sample_path(spec: DatasetSpec, root: Path, kind: str, name: str) -> Path:
    """The file of a sample that there is; ``kind`` is ``images``, ``masks`` or ``map`` (the CRF map).

    Where there is none, the path with the data set's preferred ending.
    """
    folder, endings = folder_and_endings(spec, kind)
    return find_file(root / folder, name, endings)


def folder_and_endings(spec: DatasetSpec, kind: str) -> tuple[Path, tuple[str, ...]]:
    """The folder under the root and the accepted endings of a kind of file."""
    return {
        "images": (Path("images"), spec.image_exts),
        "masks": (Path("masks"), spec.mask_exts),
        "map": (MAP_FOLDER, spec.map_exts),
    }[kind]


def find_file(folder: Path, name: str, endings: Sequence[str]) -> Path:
    """The file of ``name`` under the first of ``endings`` that there is, upper and lower case being the same.

    Where there is none, the path with the first ending, for the message about it. A single ending is met to the
    letter, without a look.
    """
    if len(endings) == 1:
        return folder / f"{name}{endings[0]}"
    # Looked up and not listed: a listing for every file that is absent would cost the square of their number.
    for spellings in (_usual_spellings, _all_spellings):
        for ending in endings:
            for spelling in spellings(ending):
                path = os.path.join(folder, f"{name}{spelling}")
                if os.path.isfile(path):
                    return Path(path)
    return folder / f"{name}{endings[0]}"


def _usual_spellings(ending: str) -> tuple[str, ...]:
    return ending, ending.upper()


def _all_spellings(ending: str) -> Iterator[str]:
    return map("".join, itertools.product(*(sorted({letter, letter.upper()}) for letter in ending)))


def files_by_name(folder: Path, endings: Sequence[str]) -> dict[str, list[Path]]:
    """All files of a folder with one of ``endings`` (in lower case), by name without ending, in order of names.

    Several files of one name come in the order of ``endings``. Hidden files are left out.
    """
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as entries:
        paths = [Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_file()]
    for path in sorted(paths):
        if path.suffix.lower() in endings:
            found.setdefault(path.stem, []).append(path)
    for several in found.values():
        several.sort(key=lambda path: endings.index(path.suffix.lower()))
    return found


def check_one_file_a_name(folder: Path, names: Sequence[str], endings: Sequence[str]) -> None:
    """Raise ValueError, with both files, if one of ``names`` has two that differ in their endings."""
    if len(endings) == 1:
        return
    found = files_by_name(folder, endings)
    for name in names:
        if len(found.get(name, ())) > 1:
            first, second, *_ = found[name]
            raise ValueError(
                f"{first}: expected one file of the id {name}, found {second.name} beside it; remove or rename one"
            )
