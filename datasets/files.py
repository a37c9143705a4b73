"""Files of samples: their paths, as endings may differ from one sample to the next, and their reading."""

import functools
import itertools
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets import io
from datasets.specs import IMAGE_EXTS, DatasetSpec
from utils.inputs import plain_id

# By the kind of a sample's file; "map" is the CRF map.
SAMPLE_FOLDERS = {
    "images": Path("images"),
    "masks": Path("masks"),
    "heatmap": Path("gaze", "heatmap"),
    "map": Path("gaze", "crf_compat1"),
}
UNFINISHED_FILE = Path("gaze", "unfinished.txt")
REPORT_FILE = Path("gaze", "report.json")


def sample_path(spec: DatasetSpec, root: str | Path, kind: str, name: str) -> Path:
    """Path of a sample's existing file, of a kind of ``SAMPLE_FOLDERS``; else with the data set's preferred ending."""
    folder, endings = _folder_and_endings(spec, root, kind)
    return find_file(folder, name, endings)


def sample_image(spec: DatasetSpec, root: str | Path, name: str) -> np.ndarray:
    """The image of a sample, with the channels and depth that its data set asks for; see ``io.read_image``."""
    return io.read_image(sample_path(spec, root, "images", name), spec.in_channels, needs_8_bit=spec.needs_8_bit)


def sample_label(spec: DatasetSpec, root: str | Path, name: str) -> io.Label:
    """The mask of a sample, None where there is none; errors as of ``io.read_label``."""
    path = sample_path(spec, root, "masks", name)
    return io.read_label(path, spec.ignore_value) if path.is_file() else io.Label(None)


def _folder_and_endings(spec: DatasetSpec, root: str | Path, kind: str) -> tuple[Path, tuple[str, ...]]:
    endings = {"images": spec.image_exts, "masks": spec.mask_exts}.get(kind, spec.map_exts)
    return Path(root) / SAMPLE_FOLDERS[kind], endings


def find_file(folder: Path, name: str, endings: Sequence[str]) -> Path:
    """Path of the existing file of ``name`` with the first of ``endings``, in any mixture of upper and lower case.

    Accents may be composed or decomposed. Where there is none, the path with the first ending, for the message about
    it. A single ending has to match exactly; for ASCII names the disk is not asked then.
    """
    if len(endings) == 1 and name.isascii():
        return folder / f"{name}{endings[0]}"
    names = dict.fromkeys((name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))))
    # Looked up and not listed: a listing for every absent file would take quadratic time.
    for ending, spelt in itertools.product(_spellings(tuple(endings)), names):
        path = os.path.join(folder, f"{spelt}{ending}")
        if os.path.isfile(path):
            return Path(path)
    return folder / f"{name}{endings[0]}"


def check_finished(root: Path) -> None:
    """Raise ValueError where a preparation was stopped half-way: some of the gaze maps may be outdated."""
    if (root / UNFINISHED_FILE).is_file():
        raise ValueError(
            f"{root / UNFINISHED_FILE.parent}: expected finished gaze maps, found a preparation that was stopped "
            f"half-way; call run.py prepare again, or remove {root / UNFINISHED_FILE} to use the maps as they are"
        )


def near_miss_hint(name: str, there: Mapping[str, str]) -> str:
    """A clause about the similar file that is ``there`` (see ``similar_files``) for an id that is not; "" for none."""
    other = there.get(plain_id(name).casefold(), name)
    if other == name and there.get(plain_id(Path(name).stem).casefold()) == name:
        if Path(name).suffix.lower() not in IMAGE_EXTS:
            return f"; {name} is there, without an ending that says its format; end the names of DICOM files in .dcm"
        return f"; {name} is there, whose id is {Path(name).stem}: ids stand without ending"
    return "" if other == name else f"; {other} is there, which differs in upper and lower case, or ending, alone"


def similar_files(folder: Path) -> dict[str, str]:
    """File names of a folder by their ids in one case and normal form; empty where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {plain_id(Path(e.name).stem).casefold(): e.name for e in entries if os.path.isfile(e)}
    except OSError:
        return {}


@functools.cache
def _spellings(endings: tuple[str, ...]) -> tuple[str, ...]:
    """Endings in all mixtures of upper and lower case, unmixed ones first; a single ending unchanged."""
    if len(endings) == 1:
        return endings
    mixtures = (itertools.product(*((letter, letter.upper()) for letter in ending)) for ending in endings)
    every = dict.fromkeys("".join(letters) for mixture in mixtures for letters in mixture)
    return tuple(sorted(every, key=lambda spelling: not (spelling.islower() or spelling.isupper())))


def files_by_name(folder: Path, endings: Sequence[str]) -> dict[str, list[Path]]:
    """All files of a folder with one of ``endings`` (in lower case), by name without ending, in order of names.

    Several files of one name come in the order of ``endings``. Hidden files are left out.
    """
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as entries:
        # Not entry.is_file(), which raises for a link to itself.
        paths = [Path(entry.path) for entry in entries if not entry.name.startswith(".") and os.path.isfile(entry)]
    for path in sorted(paths):
        if path.suffix.lower() in endings:
            found.setdefault(plain_id(path.stem), []).append(path)
    for several in found.values():
        several.sort(key=lambda path: endings.index(path.suffix.lower()))
    return found


def check_one_file_a_name(spec: DatasetSpec, root: Path, kind: str, names: Iterable[str]) -> None:
    """Raise ValueError, with both files, if one of ``names`` has two of a kind (see ``sample_path``)."""
    folder, endings = _folder_and_endings(spec, root, kind)
    if len(endings) == 1 or not folder.is_dir():
        return
    found = files_by_name(folder, endings)
    for name in names:
        if len(found.get(name, ())) > 1:
            first, second, *_ = found[name]
            raise ValueError(
                f"{first}: expected one file of the id {name}, found {second.name} beside it; remove or rename one"
            )
