"""Preparation of the data folder, images, masks and split files, from the downloads, each case on its own."""

import filecmp
import json
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets import io
from datasets.files import sample_path
from datasets.nci_isbi.archive import Archive, choose_mask, read_archive
from datasets.nci_isbi.geometry import MASK_GEOMETRY, compare_with_header
from datasets.nci_isbi.masks import Mask, read_mask_volume
from datasets.nci_isbi.series import Series, read_series
from datasets.specs import DATASETS
from datasets.splits import check_disjoint
from utils.files import replacing, write_json, write_text
from utils.images import write_image

SPEC = DATASETS["prostate"]
REPORT_FILE = "nci_report.json"
# The challenge's phase is in the patient's name: 01 training, 02 leaderboard, 03 test. The published lists hold
# the first and the last.
PUBLISHED_SPLIT = re.compile(r"Prostate(?:3T|Dx)-(01|03)-\d+")
FILE_OF_PHASE = {"01": "train.txt", "03": "test.txt"}
SPLIT_FILES = tuple(FILE_OF_PHASE.values())
# Note of a case whose mask may run in reverse, as the headers do not tell.
ORDER_UNCHECKED = "the order of the mask's slices could not be checked against the images"


@dataclass(frozen=True)
class Pair:
    """Series and mask of a case; slice n of one is slice n of the other."""

    case: str
    series: Series
    mask: Mask
    mask_path: Path
    notes: tuple[str, ...]


def prepare_nci(
    raw: str | Path,
    root: str | Path,
    *,
    split_lists: str | Path | None = None,
    mask_geometry: str = "check",
    progress: Callable[[list[str]], Iterable[str]] = iter,
) -> dict:
    """Write the slices that hold prostate, then ``nci_report.json``, and the split files last of all.

    A case that cannot be paired beyond doubt is left out with the reason. The same downloads give the same bytes.
    Slices that an earlier call made of a case, and that its mask no longer has, are removed.

    Args:
        raw: folder of the downloads, which is only read.
        root: of the data set to write.
        split_lists: folder with the train.txt and test.txt to follow; without, the names of the archive decide.
        mask_geometry: ``check`` compares a mask's header with its series; ``ignore`` pairs by number alone.
        progress: wraps the list of cases, as ``tqdm`` does.

    Returns:
        The report. ``spacing_mm`` is between slices, rows and columns; paths count from ``raw``.

    Raises:
        FileNotFoundError, ValueError: for downloads or lists that are not as described, split files in ``root``
            that are not from here, or if no case can be used.
        OSError: if ``root`` cannot be written.
    """
    raw, root = Path(raw), Path(root)
    if mask_geometry not in MASK_GEOMETRY:
        raise ValueError(f"mask_geometry: expected one of {', '.join(MASK_GEOMETRY)}, found {mask_geometry!r}")
    lists = None if split_lists is None else _read_lists(Path(split_lists), root)
    archive = read_archive(raw)
    _claim(root)
    earlier = _slices_of_report(root / REPORT_FILE)
    cases, left_out = [], []
    for case in progress(list(archive.entries)):
        try:
            pair = pair_case(archive, case, mask_geometry)
        except (ValueError, OSError) as error:
            # Slices of an earlier mask are kept in the report, to be removed when there is another.
            left_out.append({"case": case, "reason": str(error), "slices": sorted(earlier.get(case, ()))})
            continue
        _write_case(root, pair, earlier.get(case, set()))
        cases.append(_case_report(raw, pair))
    left_out += [{"case": path.stem, "reason": f"{path}: no series of this case"} for path in archive.masks.get("", ())]
    names = [f"{case['case']}_{number}" for case in cases for number in case["slices"]]
    splits, missing, unlisted = _split(names, lists)
    report = {
        "raw": str(raw),
        "split_lists": None if split_lists is None else str(split_lists),
        "mask_geometry": mask_geometry,
        "num_cases": len(cases),
        "num_slices": len(names),
        "num_train": len(splits["train.txt"]),
        "num_test": len(splits["test.txt"]),
        "left_out": left_out,
        "missing": missing,
        "unlisted": unlisted,
        "cases": cases,
    }
    write_json(root / REPORT_FILE, report)
    if not names:
        first = left_out[0]["reason"] if left_out else "no series is listed"
        raise ValueError(f"{raw}: expected a case that can be used, found none of {len(left_out)} (first: {first})")
    # No file for an empty split: it would be taken for a broken one.
    for file in filter(splits.get, SPLIT_FILES):
        write_text(root / file, "".join(f"{name}\n" for name in splits[file]))
        before = root / f"{file}.before"
        if before.is_file() and filecmp.cmp(before, root / file, shallow=False):
            before.unlink()
    return report


def pair_case(archive: Archive, case: str, mask_geometry: str = "check") -> Pair:
    """Read and pair a case's series and mask; FileNotFoundError or ValueError where they do not fit each other."""
    entries = archive.entries[case]
    if not case:
        folders = ", ".join(str(entry.folder) for entry in entries)
        raise ValueError(f"{folders}: expected a Subject ID or a folder named like a case, found neither")
    if len(entries) > 1:
        found = ", ".join(f"{entry.folder} ({entry.num_images})" for entry in entries)
        raise ValueError(f"{case}: expected one series, found {found}; keep one row in metadata.csv")
    mask_path, choice = choose_mask(case, archive.masks.get(case, ()))
    series = read_series(entries[0].folder, entries[0].num_images, case)
    mask = read_mask_volume(mask_path, (len(series.paths), *series.size))
    notes = [choice, *series.notes]
    if mask.labels != (1,):
        notes.append(f"mask values {', '.join(f'{label:g}' for label in mask.labels)} all count as prostate")
    carried = []
    if series.grid is not None and mask_geometry == "check":
        try:
            carried = compare_with_header(series.grid, mask.header)
        except ValueError as error:
            raise ValueError(
                f"{mask_path}: {error}; look at the pair, and if slice n of both belong together use "
                "--mask_geometry ignore"
            ) from error
        notes.append(f"the mask's header agrees with the series in: {', '.join(carried) or 'nothing'}")
    if mask_geometry == "check" and {"directions", "origin"}.isdisjoint(carried):
        notes.append(ORDER_UNCHECKED)
    return Pair(case, series, mask, mask_path, tuple(note for note in notes if note))


def _split(names: list[str], lists: dict[str, list[str]] | None) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """The names of each split file, those listed but not made, and those made but not listed.

    The order of given lists is kept, since a training run draws by it. Without lists, see ``PUBLISHED_SPLIT``.
    """
    if lists is None:
        lists = {file: [] for file in SPLIT_FILES}
        for name in names:
            phase = PUBLISHED_SPLIT.fullmatch(name.rpartition("_")[0])
            if phase:
                lists[FILE_OF_PHASE[phase[1]]].append(name)
    made = set(names)
    splits = {file: [name for name in lists[file] if name in made] for file in SPLIT_FILES}
    missing = [name for file in SPLIT_FILES for name in lists[file] if name not in made]
    listed = {name for file in SPLIT_FILES for name in splits[file]}
    return splits, missing, [name for name in names if name not in listed]


def _read_lists(folder: Path, root: Path) -> dict[str, list[str]]:
    if folder.resolve() == root.resolve():
        raise ValueError(f"{folder}: expected --split_lists outside of --root, whose split files are replaced")
    lists = {file: io.read_names(folder / file) for file in SPLIT_FILES}
    check_disjoint(SPEC, folder)
    return lists


def _claim(root: Path) -> None:
    """Put our own split files aside (``<name>.before``), so that a set cut short has none; refuse to touch others'."""
    splits = [root / file for file in SPLIT_FILES if (root / file).exists()]
    if not (root / REPORT_FILE).is_file():
        folders = [path for name in ("images", "masks") for path in (root / name).glob("*")]
        if splits or folders:
            raise ValueError(
                f"{(splits + folders)[0]}: expected a folder without split files, images and masks, found one that is "
                f"not from here (no {REPORT_FILE} beside it); choose another --root (lists of your own are named with "
                "--split_lists)"
            )
        # So that the next call goes on after an interruption.
        write_json(root / REPORT_FILE, {"cases": [], "left_out": []})
    for path in splits:
        path.replace(path.with_name(f"{path.name}.before"))


def _slices_of_report(path: Path) -> dict[str, set[int]]:
    """Slices of each case that an earlier call made, by its report; empty where there is none."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        cases = (*report["cases"], *report["left_out"])
        return {str(case["case"]): set(map(int, case.get("slices", ()))) for case in cases}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _write_case(root: Path, pair: Pair, earlier: set[int]) -> None:
    for number in pair.mask.numbers:
        name = f"{pair.case}_{number}"
        try:
            # Copied as delivered, without decoding and encoding.
            with replacing(sample_path(SPEC, root, "images", name)) as temporary:
                shutil.copyfile(pair.series.paths[number - 1], temporary)
            values = pair.mask.prostate[number - 1].astype(np.uint8) * 255
            write_image(sample_path(SPEC, root, "masks", name), values)
        except OSError as error:
            raise OSError(f"{root}: expected to write {name}, found {error}; see to it and start again") from error
    # Slices of another mask: run.py split would list them.
    for number in earlier - set(pair.mask.numbers):
        for kind in ("images", "masks"):
            sample_path(SPEC, root, kind, f"{pair.case}_{number}").unlink(missing_ok=True)


def _case_report(raw: Path, pair: Pair) -> dict:
    grid = pair.series.grid
    return {
        "case": pair.case,
        "series": pair.series.paths[0].parent.relative_to(raw).as_posix(),
        "mask": pair.mask_path.relative_to(raw).as_posix(),
        "num_images": len(pair.series.paths),
        "slices": pair.mask.numbers,
        "spacing_mm": None if grid is None else [round(length, 6) for length in grid.spacing_mm],
        "notes": list(pair.notes),
    }
