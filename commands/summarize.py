"""``run.py summarize``: a table of several runs, those that differ in their seed alone taken together."""

from __future__ import annotations

import argparse

from utils.experiments import find_runs, group_runs
from utils.files import write_text
from utils.tables import experiments_csv, experiments_table


def main(args: argparse.Namespace) -> int:
    """Print the table, and write it as Markdown and as CSV on demand; returns 0."""
    runs, unfinished = find_runs(args.runs)
    experiments = group_runs(runs)
    table = experiments_table(experiments, unfinished)
    print(table, end="")
    if args.to:
        write_text(args.to, table)
    if args.csv:
        write_text(args.csv, experiments_csv(experiments))
    return 0
