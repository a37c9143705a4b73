"""Images to predict, and the names of their results."""

import functools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from datasets.specs import IMAGE_EXTS
from utils.inputs import first_few, open_input, paths_of

# Folder and ending of each kind of result.
KINDS = {
    "mask": ("masks", ".png"),
    "geometry": ("masks", ".json"),
    "overlay": ("overlays", ".jpg"),
    "probability": ("probabilities", ".png"),
}
FOLDERS = tuple(dict.fromkeys(folder for folder, _ in KINDS.values()))
# Marks a folder of results.
JOURNAL_FILE = "predictions.jsonl"
RENAME = "end the names of DICOM files in .dcm"
# The list of files on every DICOM medium, itself in DICOM format.
DICOM_LIST = "dicomdir"


class FoundImage(NamedTuple):
    """An image to predict, and its state.

    Attributes:
        name: of the file without its ending, after the sub-folders in which it was found.
        path: the file.
        finished_from: the SHA-256 of the file from which its existing results were made, if all are there.
        sha256: of the file, once it is read; None where it cannot be.
        size_px: (height, width) of one that is read and to be predicted.
        refused: the reason for a refusal; an image that is read without this and ``size_px`` has its results already.
    """

    name: str
    path: Path
    finished_from: str | None = None
    sha256: str | None = None
    size_px: tuple[int, int] | None = None
    refused: str | None = None


def find_images(
    given: str | Path | Sequence[str | Path], out: Path, recursive: bool = False
) -> tuple[list[FoundImage], list[tuple[Path, str]]]:
    """Find all images among files and in folders, by their endings in upper or lower case; files are not opened.

    In folders, hidden files and folders are left out, links to folders are not followed, and folders of results, of
    this or other calls, are skipped.

    Args:
        given: files and folders.
        out: the folder of results, which no given file may be in.
        recursive: also search sub-folders.

    Returns:
        The images, in the order given, those of a folder sorted, each once; and given files that are hidden or no
        images by their endings, each with a message.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: if there is no image at all, if two would have the same results, or if one lies among results.
        OSError: for a folder that cannot be read.
    """
    avoided = [os.path.realpath(out / name) for name in FOLDERS]
    found: dict[FoundImage, None] = {}
    refused = []
    paths = paths_of(given)
    for path in paths:
        if not os.path.lexists(path):
            raise FileNotFoundError(f"--images {path}: expected a file or a folder, found none")
        if os.path.isdir(path):
            found |= dict.fromkeys(_in_folder(path, recursive, avoided))
        elif _is_image(path.name):
            found[FoundImage(path.stem, path)] = None
        else:
            wanted = f"expected an image ({', '.join(IMAGE_EXTS)})"
            refused.append((path, f"{path}: {wanted}, found another ending, or a hidden file; {RENAME}"))
    if not found:
        raise ValueError(
            f"--images: expected images ({', '.join(IMAGE_EXTS)}), found none in {first_few([*map(str, paths)], 3)}; "
            f"{RENAME}, and for sub-folders give --recursive"
        )
    _check_outside(found, avoided)
    _check_names(list(found))
    return list(found), refused


def skipped_files(
    given: str | Path | Sequence[str | Path], out: Path, recursive: bool = False
) -> tuple[Counter[str], list[Path]]:
    """Files in the folders among ``given`` that are no images by their names, not hidden, and not in ``out``.

    Returns:
        Their numbers by ending in lower case, ``no ending``, or ``a folder`` where those are not searched; and those
        that are DICOM, as scanners export them, sorted, without the list of files on a medium.
    """
    results, others = out.resolve(), []
    for folder in filter(os.path.isdir, paths_of(given)):
        for path in Path(folder).glob("**/*" if recursive else "*"):
            is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            is_looked_into = recursive and os.path.isdir(path)
            if not (is_hidden or is_looked_into or _is_image(path.name) or path.absolute().is_relative_to(results)):
                others.append(path)
    counts = Counter("a folder" if os.path.isdir(path) else path.suffix.lower() or "no ending" for path in others)
    return counts, sorted(path for path in others if path.name.lower() != DICOM_LIST and _begins_as_dicom(path))


def _begins_as_dicom(path: Path) -> bool:
    try:
        with open_input(path) as file:
            return file.read(132)[128:] == b"DICM"
    # A folder, a link to itself, an unreadable file.
    except OSError:
        return False


def _in_folder(folder: Path, recursive: bool, avoided: Sequence[str]) -> Iterator[FoundImage]:
    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        inner = Path(place).relative_to(folder)
        for name in sorted(filter(_is_image, files)):
            yield FoundImage((inner / Path(name).stem).as_posix(), Path(place, name))
        results = FOLDERS if JOURNAL_FILE in files else ()
        wanted = [name for name in folders if recursive and not name.startswith(".") and name not in results]
        folders[:] = sorted(name for name in wanted if os.path.realpath(os.path.join(place, name)) not in avoided)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_EXTS


def _check_outside(found: Sequence[FoundImage], avoided: Sequence[str]) -> None:
    """Refuse images in the folder of results, which would be overwritten."""
    real = functools.cache(os.path.realpath)
    for image in found:
        if any(Path(real(image.path.parent)).is_relative_to(folder) for folder in avoided):
            raise ValueError(
                f"{image.path}: expected an image, found a file in the folder of results; choose another --out"
            )


def _check_names(found: Sequence[FoundImage]) -> None:
    first: dict[str, Path] = {}
    for image in found:
        other = first.setdefault(image.name, image.path)
        if other is not image.path:
            raise ValueError(
                f"{image.path}: expected one image of the name {image.name!r}, found {other} too, and both would have "
                "the same mask; rename one, or predict them into different folders"
            )
    folders = {parent for name in first for parent in Path(name).parents}
    for name, path in first.items():
        # With a folder "a.png" and an image "a.tif", a mask and a folder of masks would have one path.
        if any(Path(f"{name}{ending}") in folders for _, ending in KINDS.values()):
            raise ValueError(f"{path}: expected no folder of the name of its mask, found one; rename one of them")
