"""Figures with axes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.files import replacing

if TYPE_CHECKING:
    import pandas as pd

KIND_COLOURS = {"heatmap": "#d1662b", "crf": "#2b6cb0"}
HOUR_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
TRACK_COLOURS = ("#2b6cb0", "#5a8f5a", "#d1662b", "black")
KIND_NAMES = {"heatmap": "heatmap", "crf": "CRF map"}
SHARES = {
    "share_below_0.6": "Dice below 0.6",
    "share_too_large": "half as large again, or more",
    "share_too_small": "two thirds as large, or less",
}


def write_gaze_figure(path: Path, columns: Mapping[str, np.ndarray], thresholds: Sequence[float]) -> None:
    """Draw how good gaze is: Dice over thresholds, share of fixations inside, offset of the centroid, time.

    Args:
        path: the PNG to write.
        columns: the per-image table, one float array a column, of equal lengths; missing numbers are NaN.
        thresholds: those of the Dice columns.
    """
    with _figure(path, (11, 7.2), 2, 2) as ((dice, inside), (offset, seconds)):
        _draw_dice(dice, columns, thresholds)
        _draw_shares(inside, columns["share_inside"])
        _draw_offsets(offset, columns["offset_x"], columns["offset_y"])
        _draw_seconds(seconds, columns["seconds"])


@contextlib.contextmanager
def _figure(path: Path, inches: tuple[float, float], *grid: int) -> Iterator:
    """Axes to draw on, one or a grid of them; what is drawn becomes the PNG at ``path``."""
    # Takes a while to import; without pyplot there is no window and no state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure.subplots(*grid)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_dice(axes, columns: Mapping[str, np.ndarray], thresholds: Sequence[float]) -> None:
    for kind, colour in KIND_COLOURS.items():
        names = [f"{kind}_dice_{t:g}" for t in thresholds]
        values = np.array([columns[name] for name in names])
        if not np.isfinite(values).any():
            continue
        axes.fill_between(
            thresholds,
            np.nanquantile(values, 0.25, axis=1),
            np.nanquantile(values, 0.75, axis=1),
            color=colour,
            alpha=0.15,
        )
        axes.plot(thresholds, np.nanmean(values, axis=1), "o-", ms=4, color=colour, label=KIND_NAMES[kind])
    axes.set(
        xlabel="threshold", ylabel="Dice against the mask", ylim=(0, 1), title="Maps: mean and quartiles over images"
    )
    _legend_or_note(axes)


def _draw_shares(axes, shares: np.ndarray) -> None:
    shares = shares[np.isfinite(shares)]
    if len(shares):
        axes.hist(shares, bins=np.linspace(0, 1, 21), color="#5a8f5a")
        axes.axvline(shares.mean(), color="black", label=f"mean {shares.mean():.2f}")
        axes.axvline(np.median(shares), color="black", ls="--", label=f"median {np.median(shares):.2f}")
    axes.set(xlabel="share of an image's fixations", ylabel="images", title="Fixations inside the target", xlim=(0, 1))
    _legend_or_note(axes)


def _draw_offsets(axes, x: np.ndarray, y: np.ndarray) -> None:
    known = np.isfinite(x) & np.isfinite(y)
    if known.any():
        label = f"std {x[known].std():.3f} of the width, {y[known].std():.3f} of the height"
        axes.scatter(x[known], y[known], s=6, alpha=0.4, color="#6b4c9a", linewidths=0, label=label)
        axes.axhline(0, color="grey", lw=0.6)
        axes.axvline(0, color="grey", lw=0.6)
        limit = max(np.abs(x[known]).max(), np.abs(y[known]).max(), 0.01) * 1.05
        axes.set(xlim=(-limit, limit), ylim=(limit, -limit))
    axes.set(
        xlabel="to the right, of the width", ylabel="down, of the height", title="Gaze centroid less target centroid"
    )
    _legend_or_note(axes)


def _draw_seconds(axes, seconds: np.ndarray) -> None:
    seconds = seconds[np.isfinite(seconds)]
    if len(seconds):
        axes.hist(
            seconds, bins=30, color="#777777", label=f"median {np.median(seconds):.2f} s, sum {seconds.sum():.0f} s"
        )
    axes.set(xlabel="seconds on one core", ylabel="images", title="Time to prepare an image", xlim=(0, None))
    _legend_or_note(axes)


def _legend_or_note(axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    else:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color="grey")


def write_hours_figure(path: Path, runs: pd.DataFrame, tracks: Mapping[str, str]) -> None:
    """Draw test Dice against hours of annotation: a line a track through the means over seeds, a dot a seed.

    Args:
        path: the PNG to write.
        runs: a row a run, with ``track``, ``hours`` and ``dice``.
        tracks: what the tracks are called.
    """
    with _figure(path, (7.5, 4.8)) as axes:
        for colour, (track, name) in zip(TRACK_COLOURS, tracks.items(), strict=True):
            of_track = runs[runs["track"] == track]
            means = of_track.groupby("hours")["dice"].mean()
            axes.plot(means.index, 100 * means, "o-", color=colour, label=name)
            axes.scatter(of_track["hours"], 100 * of_track["dice"], s=9, color=colour)
        axes.set(xscale="log", xlabel="hours of annotation", ylabel="test Dice, %")
        low, high = axes.get_xlim()
        ticks = [tick for tick in HOUR_TICKS if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)


def write_rounds_figure(path: Path, qualities: Sequence[Mapping]) -> None:
    """Draw how good the labels of each round are: Dice, and the shares of images that are off.

    Args:
        path: the PNG to write.
        qualities: of the rounds, as ``datasets.gaze.quality.label_quality`` gives them.
    """
    rounds = range(1, len(qualities) + 1)
    with _figure(path, (9, 3.8), 1, 2) as (dice, shares):
        dice.plot(rounds, [quality["dice"] for quality in qualities], "o-", color="#2b6cb0")
        dice.set(xlabel="round", ylabel="Dice", title=f"Labels against {qualities[0]['num_images']} masks")
        for colour, (key, name) in zip(TRACK_COLOURS, SHARES.items(), strict=False):
            shares.plot(rounds, [100 * quality[key] for quality in qualities], "o-", color=colour, label=name)
        shares.set(xlabel="round", ylabel="images, %", title="Labels that are off", ylim=(0, None))
        shares.legend(frameon=False)
        for axes in (dice, shares):
            axes.set_xticks(rounds)
            axes.grid(alpha=0.3)
