"""``run.py prepare-nci``: the NCI-ISBI 2013 downloads to a data folder."""

import argparse
import functools
from pathlib import Path

from tqdm import tqdm

from commands.options import Parser
from commands.outputs import Folder, Output
from datasets.nci_isbi.geometry import MASK_GEOMETRY
from datasets.nci_isbi.prepare import ORDER_UNCHECKED, REPORT_FILE, prepare_nci
from utils.inputs import first_few
from utils.interrupt import PARTLY_DONE_CODE


def add_options(parser: Parser) -> None:
    parser.add_argument("--raw", required=True, help="folder of the downloads: metadata.csv, series and *.nrrd masks")
    parser.add_argument("--root", required=True, help="folder of the data set to write")
    parser.add_argument(
        "--split_lists",
        metavar="FOLDER",
        help="train.txt and test.txt to follow (default: the archive's names: 01 training, 03 test)",
    )
    parser.add_argument(
        "--mask_geometry",
        choices=MASK_GEOMETRY,
        default="check",
        help="compare a mask's header with its series, or pair by number alone",
    )


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Folder("--root", Path(args.root), inside=("images", "masks"))]


def main(args: argparse.Namespace) -> int:
    """Prepare all cases, print what was made and left out; 0, or 1 if cases were left out."""
    report = prepare_nci(
        args.raw,
        args.root,
        split_lists=args.split_lists,
        mask_geometry=args.mask_geometry,
        progress=functools.partial(tqdm, desc="prepare-nci", unit="case", disable=None),
    )
    print(
        f"made {report['num_slices']} slices of {report['num_cases']} cases: "
        f"{report['num_train']} in train.txt, {report['num_test']} in test.txt"
    )
    for case in report["cases"]:
        for note in case["notes"]:
            if "taken of" in note:
                print(f"  {case['case']}: {note}")
    unchecked = [case["case"] for case in report["cases"] if ORDER_UNCHECKED in case["notes"]]
    _print_names(unchecked, "cases paired by number alone, as headers do not tell the mask's order")
    print(f"left out {len(report['left_out'])}")
    for item in report["left_out"]:
        print(f"  left out {item['case'] or 'a series'}: {item['reason']}")
    _print_names(report["missing"], "slices named in --split_lists but not made")
    _print_names(report["unlisted"], "slices made but in neither split")
    print(f"report: {args.root}/{REPORT_FILE}")
    return PARTLY_DONE_CODE if report["left_out"] else 0


def _print_names(names: list[str], what: str) -> None:
    if names:
        print(f"{len(names)} {what}: {first_few(names)}")
