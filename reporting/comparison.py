"""The files of a comparison: table, numbers, cases, figure."""

from __future__ import annotations

import contextlib
from pathlib import Path

from evaluation.comparison import Compared
from reporting.comparison_table import comparisons_csv, paired_csv
from utils.files import replacing

TABLE_FILE, NUMBERS_FILE, PAIRED_FILE = "comparison.md", "comparison.csv", "paired.csv"
FIGURE_FILES = ("comparison.png", "comparison.pdf")


def write_comparison(folder: Path, compared: Compared, table: str) -> None:
    """Write all files of a comparison; none gets its name before all are whole."""
    # Takes a while to import.
    from reporting.comparison_figure import draw_comparison

    texts = {
        TABLE_FILE: table,
        NUMBERS_FILE: comparisons_csv(compared.comparisons),
        PAIRED_FILE: paired_csv(compared.paired),
    }
    with contextlib.ExitStack() as stack:
        for name, text in texts.items():
            stack.enter_context(replacing(folder / name)).write_text(text, encoding="utf-8")
        figures = [stack.enter_context(replacing(folder / name)) for name in FIGURE_FILES]
        draw_comparison(compared.comparisons, compared.paired, figures)
