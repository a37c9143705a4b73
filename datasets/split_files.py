"""Split files (train.txt, val.txt, test.txt) for a folder of images, drawn by case."""

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.files import check_one_file_a_name, files_by_name
from datasets.settings import SETTINGS_FILE
from datasets.specs import DatasetSpec, get_spec
from datasets.splits import SPLITS, draw_splits
from utils.files import replacing

# Kinds of what stays in one split.
UNITS = ("case", "image")


def write_splits(
    root: str | Path,
    data: str = "folder",
    *,
    val: float = 0.1,
    test: float = 0.1,
    by: str = "case",
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, list[str]]:
    """Draw, write and describe the splits of a data folder.

    Args:
        root: the folder, with images/.
        data: its kind, a key of ``DATASETS``.
        val, test: shares of the cases, as of ``draw_splits``.
        by: ``case`` or, where names have no cases, ``image``.
        seed: of the draw.
        overwrite: replace split files that are there.

    Returns:
        The ids of each part, as of ``draw_splits``.

    Raises:
        FileNotFoundError, ValueError: for a folder without images, names that fit in no split file, split files that
            are there already; and as ``draw_splits``. Nothing is written then.
    """
    root = Path(root)
    spec = get_spec(data, root)
    if by not in UNITS:
        raise ValueError(f"--by: expected {' or '.join(UNITS)}, found {by!r}")
    if by == "image" and spec.case_pattern is not None:
        raise ValueError(
            f"--by image: expected --by case, found names with cases (case_pattern {spec.case_pattern!r}), of which "
            "training refuses to share one between splits"
        )
    paths = {split: root / f"{split}.txt" for split in SPLITS}
    there = [path for path in paths.values() if path.exists()]
    if there and not overwrite:
        found = ", ".join(map(str, there))
        raise ValueError(f"{root}: expected no split files, found {found}; add --overwrite to replace them")
    names = _listed_images(spec, root)
    parts = draw_splits(spec, names, val=val, test=test, seed=seed)
    # All lists are written before the first one gets its name.
    with contextlib.ExitStack() as stack:
        for split, members in parts.items():
            temporary = stack.enter_context(replacing(paths[split]))
            temporary.write_text("\n".join(members) + "\n", encoding="utf-8")
    for split in SPLITS:
        if split not in parts:
            # A list of an earlier draw would claim cases that are in other parts now.
            paths[split].unlink(missing_ok=True)
    _describe(spec, parts, paths)
    return parts


def _listed_images(spec: DatasetSpec, root: Path) -> list[str]:
    """The ids of all images; prints what else is in the folder."""
    folder = root / "images"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder of images ({', '.join(spec.image_exts)}), found none")
    found = files_by_name(folder, spec.image_exts)
    others = Counter(
        "a folder" if path.is_dir() else path.suffix or "no ending"
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() not in spec.image_exts)
    )
    listed = ", ".join(f"{ending} ({count})" for ending, count in sorted(others.items()))
    if not found:
        raise ValueError(
            f"{folder}: expected images ({', '.join(spec.image_exts)}), found none of these endings, but "
            f"{listed or 'nothing'}; end the names of DICOM files in .dcm, and put images straight into the folder"
        )
    check_one_file_a_name(spec, root, "images", found)
    for name in found:
        # A split file holds one id a line and loses the blanks around it.
        if [name.strip()] != name.splitlines() or not name.isprintable():
            raise ValueError(f"{found[name][0]}: expected a name that fits on a line of a split file; rename it")
    if others:
        print(f"left out in {folder}, since only {', '.join(spec.image_exts)} are images: {listed}")
    return list(found)


def _describe(spec: DatasetSpec, parts: Mapping[str, Sequence[str]], paths: Mapping[str, Path]) -> None:
    for split, names in parts.items():
        print(f"{paths[split]}: {len(names)} images of {len({spec.case_of(name) for name in names})} cases")
    if spec.has_settings and spec.case_pattern is None:
        print(
            "every image counts as a case of its own; if several show one patient, set case_pattern in "
            f"{paths['train'].with_name(SETTINGS_FILE)} and split again"
        )
