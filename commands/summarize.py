"""``run.py summarize``: a table of several runs, those that differ in their seed alone taken together."""

import argparse
from pathlib import Path

from commands.options import Parser, add_shared
from commands.outputs import Output
from evaluation.experiments import find_runs, group_runs
from reporting.tables import CSV_COLUMNS, experiments_csv, experiments_table
from utils.files import write_text

TABLE_FORM = r"^\| run \| what \||: nothing was evaluated\.|^Without a summary yet, left out"


def add_options(parser: Parser) -> None:
    parser.add_argument("runs", nargs="+", metavar="EXP", help="run folders, or folders of seeds")
    parser.add_argument("--to", metavar="FILE", help="write the Markdown table there too")
    parser.add_argument(
        "--csv", metavar="FILE", help="the numbers, also of every level: a row a result, metric and level"
    )
    add_shared(parser, "overwrite")


def outputs(args: argparse.Namespace) -> list[Output]:
    table = ("--to", args.to, (".md", ".markdown", ".txt"), TABLE_FORM)
    numbers = ("--csv", args.csv, (".csv",), f"^{','.join(CSV_COLUMNS)}")
    return [Output(option, Path(name), *kind) for option, name, *kind in (table, numbers) if name is not None]


def main(args: argparse.Namespace) -> int:
    """Print the table, and write it as Markdown and as CSV on demand."""
    runs, unfinished = find_runs(args.runs)
    experiments = group_runs(runs)
    table = experiments_table(experiments, unfinished)
    print(table, end="")
    if args.to is not None:
        write_text(args.to, table)
    if args.csv is not None:
        write_text(args.csv, experiments_csv(experiments))
    return 0
