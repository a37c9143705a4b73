"""The figure of a comparison: what every case gains or loses, sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.paired import Comparison
from utils.per_case import MEASURES
from utils.publication import paper_style, write_figure

# Okabe and Ito's, which the colour-blind tell apart.
BETTER, WORSE, EQUAL = "#0072B2", "#D55E00", "#999999"
WIDTH_MM, PANEL_HEIGHT_MM = 174.0, 52.0
MM_PER_INCH = 25.4
MAX_COLUMNS = 3
# More than these make a vector file that takes a while to open.
MAX_VECTOR_DOTS = 2000
LONGEST_TITLE = 30


def draw_comparison(comparisons: Sequence[Comparison], rows: Sequence[dict], paths: Sequence[Path]) -> None:
    """Draw a panel a run and metric: the differences of all cases in order, their mean and its interval.

    Args:
        comparisons: as ``compare_runs`` makes them.
        rows: as ``paired_rows`` makes them from the same runs and metrics.
        paths: files to write, ``.png`` or ``.pdf``.
    """
    from matplotlib.figure import Figure

    runs = list(dict.fromkeys(c.run for c in comparisons))
    metrics = list(dict.fromkeys(c.metric for c in comparisons))
    columns = min(MAX_COLUMNS, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    with paper_style():
        size = (WIDTH_MM / MM_PER_INCH, len(runs) * lines * PANEL_HEIGHT_MM / MM_PER_INCH)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(runs) * lines, columns, squeeze=False)
        for axes in panels.flat:
            axes.set_axis_off()
        for comparison in comparisons:
            index = metrics.index(comparison.metric)
            axes = panels[runs.index(comparison.run) * lines + index // columns, index % columns]
            axes.set_axis_on()
            key = (comparison.metric, comparison.run, comparison.baseline)
            _draw_panel(axes, comparison, np.array([row[key] for row in rows], np.float64))
        for path in paths:
            write_figure(figure, path, format=path.suffix[1:])


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
        _draw_mean(axes, comparison, measure.scale)
    axes.set_xlim(0, len(values) + 1)
    axes.set_xlabel("cases, sorted")
    axes.set_ylabel(f"difference in {measure.title}, {unit}")
    title = f"{_short(comparison.run)}\nless {_short(comparison.baseline)}"
    axes.set_title(title, parse_math=False, loc="left")
    counts = (
        (comparison.wins, "better", BETTER),
        (comparison.ties, "equal", EQUAL),
        (comparison.losses, "worse", WORSE),
    )
    for line, (count, word, colour) in enumerate(counts):
        place = (0.02, 0.97 - 0.08 * line)
        axes.text(*place, f"{count} {word}", transform=axes.transAxes, va="top", color=colour, fontsize=6)


def _draw_mean(axes, comparison: Comparison, scale: float) -> None:
    mean = comparison.mean_difference * scale
    text = f"mean {mean:+.2f}"
    if comparison.ci95_low is not None:
        low, high = comparison.ci95_low * scale, comparison.ci95_high * scale
        axes.axhspan(low, high, color="#000000", alpha=0.15, lw=0)
        text += f"\n95 %: {low:+.2f} to {high:+.2f}"
    if comparison.wilcoxon_p is not None:
        text += f"\np = {comparison.wilcoxon_p:.2g}"
    axes.axhline(mean, color="black", lw=1, ls=(0, (4, 2)))
    axes.text(0.98, 0.03, text, transform=axes.transAxes, va="bottom", ha="right", fontsize=6)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_TITLE else f"{name[: LONGEST_TITLE - 1]}…"
