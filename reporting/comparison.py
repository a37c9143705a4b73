"""Files of a comparison: table, numbers, paired cases, and a figure of every case's difference, sorted."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.comparison import Compared, Comparison
from evaluation.metrics import MEASURES
from reporting.publication import paper_style, write_figure
from reporting.qualitative_figure import MM_PER_INCH, wrap_title
from utils.files import write_text

TABLE_FILE, NUMBERS_FILE, PAIRED_FILE = "comparison.md", "comparison.csv", "paired.csv"
FIGURE_FILES = ("comparison.png", "comparison.pdf")
# Of Okabe and Ito's colour-blind safe palette.
BETTER, WORSE, EQUAL = "#0072B2", "#D55E00", "#999999"
WIDTH_MM, PANEL_HEIGHT_MM = 174.0, 56.0
# Less than the width of a panel where three stand side by side.
TITLE_MM = 45.0
MAX_COLUMNS = 3
# More make a vector file slow to open.
MAX_VECTOR_DOTS = 2000
SMALL_PT = 6.0


def write_comparison(folder: str | Path, compared: Compared, table: str) -> None:
    """Write all files of a comparison into a folder that is there.

    Of the CSV files, overlaps are in 0..1 and no value is an empty cell; one has the attributes of ``Comparison`` as
    columns, the other a row a case, with columns ``dice A``, ``dice B``, ``dice B - A``.
    """
    folder = Path(folder)
    write_text(folder / TABLE_FILE, table)
    numbers = pd.DataFrame(list(map(asdict, compared.comparisons)), dtype=object)
    write_text(folder / NUMBERS_FILE, numbers.to_csv(index=False, lineterminator="\n"))
    header = [key if isinstance(key, str) else f"{key[0]} {' - '.join(key[1:])}" for key in compared.paired]
    write_text(folder / PAIRED_FILE, compared.paired.to_csv(index=False, header=header, lineterminator="\n"))
    draw_comparison(compared.comparisons, compared.paired, [folder / name for name in FIGURE_FILES])


def draw_comparison(comparisons: Sequence[Comparison], paired: pd.DataFrame, paths: Sequence[Path]) -> None:
    """Draw a panel a run and metric: the differences of all cases in order, their mean and its interval."""
    from matplotlib.figure import Figure

    runs = list(dict.fromkeys(c.run for c in comparisons))
    metrics = list(dict.fromkeys(c.metric for c in comparisons))
    columns = min(MAX_COLUMNS, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    with paper_style():
        size = (WIDTH_MM / MM_PER_INCH, len(runs) * lines * PANEL_HEIGHT_MM / MM_PER_INCH)
        figure = Figure(figsize=size, layout="constrained")
        for comparison in comparisons:
            line, column = divmod(metrics.index(comparison.metric), columns)
            place = (runs.index(comparison.run) * lines + line) * columns + column + 1
            key = (comparison.metric, comparison.run, comparison.baseline)
            axes = figure.add_subplot(len(runs) * lines, columns, place)
            _draw_panel(axes, comparison, paired[key].to_numpy(np.float64))
        for path in paths:
            write_figure(figure, path)


def _draw_panel(axes, comparison: Comparison, differences: np.ndarray) -> None:
    measure = MEASURES[comparison.metric]
    values = np.sort(differences[np.isfinite(differences)] * measure.scale)
    unit = "points" if measure.unit == "%" else measure.unit
    axes.axhline(0, color="black", lw=0.6)
    if len(values):
        gains = values if measure.larger_is_better else -values
        colours = np.select([gains > 0, gains < 0], [BETTER, WORSE], EQUAL)
        size = float(np.clip(600 / len(values), 1.5, 12))
        place = np.arange(1, len(values) + 1)
        axes.scatter(place, values, s=size, c=colours, lw=0, rasterized=len(values) > MAX_VECTOR_DOTS, zorder=3)
        axes.axhline(comparison.mean_difference * measure.scale, color="black", lw=1, ls=(0, (4, 2)))
        if comparison.ci95_low is not None:
            low, high = comparison.ci95_low * measure.scale, comparison.ci95_high * measure.scale
            axes.axhspan(low, high, color="black", alpha=0.15, lw=0)
    axes.set(xlim=(0, len(values) + 1), ylabel=f"{measure.title}, difference, {unit}")
    axes.set_title(_title(comparison, measure.scale), parse_math=False, loc="left", fontsize=SMALL_PT)
    counts = [
        (comparison.losses, "worse", WORSE),
        (comparison.ties, "equal", EQUAL),
        (comparison.wins, "better", BETTER),
    ]
    # In the order in which the dots come.
    ordered = counts if measure.larger_is_better else counts[::-1]
    for (count, word, colour), x, side in zip(ordered, (0, 0.5, 1), ("left", "center", "right"), strict=True):
        axes.text(x, -0.17, f"{count} {word}", transform=axes.transAxes, va="top", ha=side, color=colour)


def _title(comparison: Comparison, scale: float) -> str:
    """Title of a panel: run, baseline, mean difference, p and interval."""
    lines = [*wrap_title(comparison.run, TITLE_MM), *wrap_title(f"less {comparison.baseline}", TITLE_MM)]
    if comparison.mean_difference is None:
        return "\n".join([*lines, "nothing to compare"])
    p = "" if comparison.wilcoxon_p is None else f", p = {comparison.wilcoxon_p:.2g}"
    lines.append(f"mean {comparison.mean_difference * scale:+.2f}{p}")
    if comparison.ci95_low is not None:
        lines.append(f"95 %: {comparison.ci95_low * scale:+.2f} to {comparison.ci95_high * scale:+.2f}")
    return "\n".join(lines)
