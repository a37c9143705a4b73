"""``run.py compare``: runs against a baseline, case by case."""

import argparse
from pathlib import Path

from commands.options import Parser, add_shared, words
from commands.outputs import Folder, Output
from datasets.specs import DATASETS
from evaluation.comparison import compare
from evaluation.metrics import MEASURES
from reporting.comparison import FIGURE_FILES, NUMBERS_FILE, PAIRED_FILE, TABLE_FILE, write_comparison
from reporting.comparison_table import comparisons_markdown
from reporting.html import REPORT_FILE
from utils.files import staged_folder
from utils.settings import NATURAL


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]RUN",
        help="results folders or their per_case.csv, with a name or without; the first is the baseline",
    )
    parser.add_argument(
        "--metric",
        type=words(tuple(MEASURES)),
        metavar="M,M,...",
        help=f"of {', '.join(MEASURES)} (default: all that every run has)",
    )
    parser.add_argument("--level", default="ensemble", help="ensemble, or the number of a level")
    parser.add_argument("--to", metavar="FOLDER", help="write table, numbers, cases and figure there")
    add_shared(parser, "report", "fixations")
    group = parser.add_argument_group("data of the report (default: as the runs' summaries say)")
    group.add_argument("--data", choices=tuple(DATASETS), help="data set")
    group.add_argument("--root", help="its folder")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the bootstrap")


def outputs(args: argparse.Namespace) -> list[Output]:
    names = (TABLE_FILE, NUMBERS_FILE, PAIRED_FILE, *FIGURE_FILES, REPORT_FILE)
    form = r"^\| metric \| run \| cases \| baseline \|"
    return [Folder("--to", Path(args.to), ours=form, names=names, sign=TABLE_FILE)] if args.to is not None else []


def main(args: argparse.Namespace) -> int:
    """Print the table, and write it with numbers, cases and figure on demand."""
    if args.report and not args.to:
        raise ValueError("--report: expected with --to FOLDER, where it goes, found without")
    if args.fixations and not args.report:
        raise ValueError("--fixations: expected with --report, which shows them, found without")
    compared = compare(args.runs, metrics=args.metric, level=args.level, seed=args.seed)
    table = comparisons_markdown(compared.comparisons, seed=args.seed, notes=compared.notes)
    print(table, end="")
    if args.to:
        report = Path(args.to) / REPORT_FILE
        # An earlier report would be of another comparison.
        with staged_folder(args.to, last=TABLE_FILE, before_moving=lambda: report.unlink(missing_ok=True)) as staged:
            write_comparison(staged, compared, table)
            if args.report:
                # Slow to import, as it draws pictures.
                from reporting.compare_report import write_report

                size = write_report(
                    staged, compared, data=args.data, root=args.root, fixations=args.fixations, seed=args.seed
                )
                print(f"\nreport: {report}, {size / 1e6:.1f} MB")
        print(f"\nresults: {args.to}")
    return 0
