"""``run.py split``: train.txt, val.txt and test.txt for a folder of images, drawn by case."""

import argparse
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands.options import SHARE, Parser
from commands.outputs import Folder, Output
from datasets import get_spec
from datasets.files import check_one_file_a_name, files_by_name
from datasets.settings import SETTINGS_FILE
from datasets.specs import DATASETS, DatasetSpec
from datasets.splits import SPLITS, draw_splits
from utils.files import replacing
from utils.settings import NATURAL


def add_options(parser: Parser) -> None:
    parser.add_argument("--data", choices=tuple(DATASETS), default="folder", help="data set")
    parser.add_argument("--root", required=True, help="its folder, with images/")
    parser.add_argument("--val", type=SHARE, default=0.1, help="share of the cases for val.txt; 0 for none")
    parser.add_argument("--test", type=SHARE, default=0.1, help="share of the cases for test.txt")
    parser.add_argument(
        "--by", choices=("case", "image"), default="case", help="keep the images of a case together, or not"
    )
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the draw")
    parser.add_argument("--overwrite", action="store_true", help="replace split files that are already there")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Folder("--root", Path(args.root))]


def main(args: argparse.Namespace) -> int:
    """Draw, write and describe the splits."""
    root = Path(args.root)
    spec = get_spec(args.data, root)
    if args.by == "image" and spec.case_pattern is not None:
        raise ValueError(
            f"--by image: expected --by case, found names with cases (case_pattern {spec.case_pattern!r}), of which "
            "training refuses to share one between splits"
        )
    paths = {split: root / f"{split}.txt" for split in SPLITS}
    there = [path for path in paths.values() if path.exists()]
    if there and not args.overwrite:
        found = ", ".join(map(str, there))
        raise ValueError(f"{root}: expected no split files, found {found}; add --overwrite to replace them")
    names = _listed_images(spec, root)
    parts = draw_splits(spec, names, val=args.val, test=args.test, seed=args.seed)
    # All lists are written before the first one gets its name.
    with contextlib.ExitStack() as stack:
        for split, members in parts.items():
            temporary = stack.enter_context(replacing(paths[split]))
            temporary.write_text("\n".join(members) + "\n", encoding="utf-8")
    for split in SPLITS:
        if split not in parts:
            # A list of an earlier draw would claim cases that stand elsewhere now.
            paths[split].unlink(missing_ok=True)
    _describe(spec, parts, paths)
    return 0


def _listed_images(spec: DatasetSpec, root: Path) -> list[str]:
    """The ids of all images; says what else lies in the folder."""
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
