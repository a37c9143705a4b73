"""``run.py summarize``: a table of several runs."""

from __future__ import annotations

import argparse

from utils.files import write_text
from utils.reporting import results_table


def main(args: argparse.Namespace) -> int:
    """Print the table, and write it on demand; returns 0."""
    table = results_table(args.runs)
    print(table, end="")
    if args.to:
        write_text(args.to, table)
    return 0
