"""The files of a comparison: table, numbers, cases, figure."""

from __future__ import annotations

from pathlib import Path

from evaluation.comparison import Compared
from reporting.comparison_table import comparisons_csv, paired_csv
from utils.files import write_text

TABLE_FILE, NUMBERS_FILE, PAIRED_FILE = "comparison.md", "comparison.csv", "paired.csv"
FIGURE_FILES = ("comparison.png", "comparison.pdf")


def write_comparison(folder: Path, compared: Compared, table: str) -> None:
    """Write all files of a comparison into a folder that is there."""
    # Takes a while to import.
    from reporting.comparison_figure import draw_comparison

    texts = {
        TABLE_FILE: table,
        NUMBERS_FILE: comparisons_csv(compared.comparisons),
        PAIRED_FILE: paired_csv(compared.paired),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    draw_comparison(compared.comparisons, compared.paired, [folder / name for name in FIGURE_FILES])
