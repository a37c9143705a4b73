"""Plots: quality of gaze maps, hours of annotation, labels of rounds."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.files import replacing

KINDS = {"heatmap": ("heatmap", "#d1662b"), "crf": ("CRF map", "#2b6cb0")}
# From gaze on a few images to thousands of drawn masks.
HOUR_TICKS = tuple(factor * 10.0**power for power in range(-4, 5) for factor in (1, 2, 5))
TRACK_COLOURS = ("#2b6cb0", "#5a8f5a", "#d1662b", "black")
SHARES = {
    "share_below_0.6": "Dice below 0.6",
    "share_too_large": "half as large again, or more",
    "share_too_small": "two thirds as large, or less",
}


def write_gaze_figure(path: Path, table: pd.DataFrame) -> None:
    """Draw the per-image table (``per_image.csv``): Dice over thresholds, share of fixations inside, offset of the
    centroid in shares of width and height, seconds; missing numbers are NaN, and a plot without any stays empty.
    """
    with _figure(path, (11, 7.2), 2, 2) as ((dice, inside), (offset, seconds)):
        _draw_dice(dice, table)
        _draw_shares(inside, table["share_inside"].dropna())
        _draw_offsets(offset, table[["offset_x", "offset_y"]].dropna())
        _draw_seconds(seconds, table["seconds"].dropna())
        for axes in (dice, inside, offset, seconds):
            if axes.get_legend_handles_labels()[0]:
                axes.legend(frameon=False)
            else:
                axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color="grey")


@contextlib.contextmanager
def _figure(path: Path, inches: tuple[float, float], *grid: int) -> Iterator:
    """Axes to draw on, one or a grid of them, saved as PNG at ``path``."""
    # Slow to import; without pyplot there is no window and no state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    yield figure.subplots(*grid)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_dice(axes, table: pd.DataFrame) -> None:
    thresholds = [float(column.rpartition("_")[2]) for column in table if column.startswith("crf_dice_")]
    for kind, (name, colour) in KINDS.items():
        values = table[[f"{kind}_dice_{t:g}" for t in thresholds]]
        if values.notna().any(axis=None):
            axes.fill_between(thresholds, values.quantile(0.25), values.quantile(0.75), color=colour, alpha=0.15)
            axes.plot(thresholds, values.mean(), "o-", ms=4, color=colour, label=name)
    axes.set(
        xlabel="threshold", ylabel="Dice against the mask", ylim=(0, 1), title="Maps: mean and quartiles over images"
    )


def _draw_shares(axes, shares: pd.Series) -> None:
    if len(shares):
        axes.hist(shares, bins=np.linspace(0, 1, 21), color="#5a8f5a")
        axes.axvline(shares.mean(), color="black", label=f"mean {shares.mean():.2f}")
        axes.axvline(np.median(shares), color="black", ls="--", label=f"median {shares.median():.2f}")
    axes.set(xlabel="share of an image's fixations", ylabel="images", title="Fixations inside the target", xlim=(0, 1))


def _draw_offsets(axes, offsets: pd.DataFrame) -> None:
    if len(offsets):
        x, y = offsets.to_numpy().T
        label = f"std {x.std():.3f} of the width, {y.std():.3f} of the height"
        axes.scatter(x, y, s=6, alpha=0.4, color="#6b4c9a", linewidths=0, label=label)
        axes.axhline(0, color="grey", lw=0.6)
        axes.axvline(0, color="grey", lw=0.6)
        limit = max(np.abs(offsets.to_numpy()).max(), 0.01) * 1.05
        axes.set(xlim=(-limit, limit), ylim=(limit, -limit))
    axes.set(
        xlabel="to the right, of the width", ylabel="down, of the height", title="Gaze centroid less target centroid"
    )


def _draw_seconds(axes, seconds: pd.Series) -> None:
    if len(seconds):
        label = f"median {seconds.median():.2f} s, sum {seconds.sum():.0f} s"
        axes.hist(seconds, bins=30, color="#777777", label=label)
    axes.set(xlabel="seconds on one core", ylabel="images", title="Time to prepare an image", xlim=(0, None))


def write_hours_figure(path: Path, runs: pd.DataFrame, tracks: Mapping[str, str]) -> None:
    """Draw test Dice against hours of annotation: a line a track through the means over seeds, a dot a seed.

    A row of ``runs`` is a run, with ``track``, ``hours`` and ``dice``; ``tracks`` has the tracks' titles.
    """
    with _figure(path, (7.5, 4.8)) as axes:
        for colour, (track, name) in zip(TRACK_COLOURS, tracks.items(), strict=True):
            points = runs[runs["track"] == track]
            means = points.groupby("hours")["dice"].mean()
            axes.plot(means.index, 100 * means, "o-", color=colour, label=name)
            axes.scatter(points["hours"], 100 * points["dice"], s=9, color=colour)
        axes.set(xscale="log", xlabel="hours of annotation", ylabel="test Dice, %")
        low, high = axes.get_xlim()
        ticks = [tick for tick in HOUR_TICKS if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)


def write_rounds_figure(path: Path, qualities: Sequence[Mapping]) -> None:
    """Draw the quality of each round's labels, as of ``label_quality``: Dice, and the shares of bad ones."""
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
