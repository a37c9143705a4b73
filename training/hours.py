"""Experiment: test Dice against hours of annotation, by gaze, a few masks, both, or every mask; a training each."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from datasets import get_spec
from datasets.gaze.fixations import read_fixations
from datasets.splits import split_names
from evaluation.summary import SUMMARY_FILE, read_summary
from reporting.figures import write_hours_figure
from reporting.markdown import table
from training.build import evaluation_sets
from training.checkpoints import check_same_options_as_before
from training.data_options import complete
from training.fit import fit
from training.labels import check_sources
from training.recipes import RECIPES
from training.rounds import check_same_labels
from training.settings import Settings
from utils.files import write_text
from utils.settings import (
    NATURAL,
    POSITIVE,
    POSITIVE_INT,
    checked_value,
    declared_settings,
    numbers,
    setting,
)

TABLE_FILE, NUMBERS_FILE, FIGURE_FILE = "hours.md", "hours.csv", "hours.png"
COLUMNS = ("track", "masks", "hours", "seed", "dice", "training_minutes")
TRACKS = {
    "gaze": "gaze alone",
    "gaze+masks": "gaze and n masks",
    "masks": "n masks, self-trained on all images",
    "all": "every mask",
}
SECONDS_AN_HOUR = 3600
EACH_ONCE = numbers(NATURAL, each_once=True)


@dataclass(frozen=True, kw_only=True)
class HoursSettings:
    """Settings of the experiment, the options of ``hours`` by name.

    Attributes:
        data, root: the data set, with test masks.
        training: further settings of all runs, by the names of ``Settings`` of a training.
    """

    data: str
    root: str | Path
    fixations: str = setting(MISSING, "the fixation table")
    exp_path: str = setting(MISSING, "folder of all runs, the table and the figure")
    masks: tuple[int, ...] = setting((15, 45, 90, 200), "masks drawn", EACH_ONCE, metavar="N,N,...")
    seeds: tuple[int, ...] = setting((0, 1, 2), "a run each", EACH_ONCE, metavar="N,N,...")
    gaze_seconds: float = setting(8.8, "to look at an image (as published)", POSITIVE)
    mask_seconds: float = setting(74.8, "to draw a mask (as published)", POSITIVE)
    rounds: int = setting(3, "where not every mask is there", POSITIVE_INT)
    round_ite: int = setting(250, "iterations of each round before the last", POSITIVE_INT)
    max_ite: int = setting(400, "of the last round; all masks have the sum", POSITIVE_INT)
    recipe: str = setting("strong", "of all runs", choices=RECIPES)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        for name, one in declared_settings(HoursSettings).items():
            object.__setattr__(self, name, checked_value(one, getattr(self, name)))


class Point(NamedTuple):
    """A way to annotate: its track, number of masks, hours of annotation, and settings of training."""

    track: str
    masks: int
    hours: float
    settings: dict[str, object]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.track}_{self.masks}" if self.track in ("gaze+masks", "masks") else self.track


def score_hours(asked: HoursSettings) -> int:
    """Train missing runs, seed by seed, and write table and figure after each; 0, or the code of a run that stopped.

    Raises:
        OSError, ValueError: for data or options that do not fit, or runs there that were trained with others.
    """
    folder, rows = Path(asked.exp_path), []
    points = list(points_of(asked))
    runs = [(point, _settings(asked, point, folder, seed)) for seed in asked.seeds for point in points]
    for _, settings in runs:
        check_same_options_as_before(settings, None)
        if settings.makes_labels:
            check_same_labels(settings)
    for _, settings in runs[: len(points)]:
        # Errors in the data show before the first run trains.
        if (settings.folder / SUMMARY_FILE).is_file():
            continue
        check_sources(settings)
        if evaluation_sets(settings)[1] is None:
            raise ValueError(f"{asked.root}: expected masks/ and test.txt to score on, found none")
    for point, settings in runs:
        if not (settings.folder / SUMMARY_FILE).is_file() and (code := fit(settings)):
            print(f"stopped in {settings.folder}; the same command goes on")
            return code
        rows.append(_row(point, settings.seed, settings.folder))
        scores = pd.DataFrame(rows, columns=COLUMNS)
        write_text(folder / NUMBERS_FILE, scores.to_csv(index=False, lineterminator="\n"))
        write_text(folder / TABLE_FILE, hours_table(scores))
        write_hours_figure(folder / FIGURE_FILE, scores, TRACKS)
    print(f"\n{hours_table(scores)}\nin {folder / TABLE_FILE}, {folder / NUMBERS_FILE} and {folder / FIGURE_FILE}")
    return 0


def points_of(asked: HoursSettings) -> Iterator[Point]:
    """All ways to annotate, the cheapest of each track first."""
    names = split_names(get_spec(asked.data, asked.root), Path(asked.root), "train")
    num_images, seen = len(names), read_fixations(asked.fixations)
    # All images, unless --skip_missing_gaze leaves some out.
    looking = sum(name in seen for name in names) * asked.gaze_seconds / SECONDS_AN_HOUR
    drawing = asked.mask_seconds / SECONDS_AN_HOUR
    gaze = {"fixations": asked.fixations}
    yield Point("gaze", 0, looking, gaze | {"pseudo": "area"})
    for n in filter(None, asked.masks):
        yield Point("gaze+masks", n, looking + n * drawing, gaze | {"pseudo": "fusion", "masks": n})
        yield Point("masks", n, n * drawing, {"pseudo": "network", "masks": n})
    yield Point("all", num_images, num_images * drawing, {"mode": "full_sup"})


def hours_table(runs: pd.DataFrame) -> str:
    """Markdown table with a line a way to annotate: mean and standard deviation over its seeds."""
    lines = []
    for (track, masks), rows in runs.groupby(["track", "masks"], sort=False):
        dice = 100 * rows["dice"]
        deviation = f" ± {dice.std():.2f}" if len(dice) > 1 else ""
        hours, minutes = rows["hours"].iloc[0], rows["training_minutes"].mean()
        shown = (f"{hours:.1f}", f"{dice.mean():.2f}{deviation}", str(len(dice)), f"{minutes:.0f}")
        lines.append((TRACKS[track].replace("n masks", f"{masks} masks"), *shown))
    return table(("annotation", "hours", "test Dice %", "seeds", "minutes of training"), lines) + "\n"


def _settings(asked: HoursSettings, point: Point, folder: Path, seed: int) -> Settings:
    """Settings of one run; with every mask, as many steps as all rounds of the others together."""
    run_folder = folder / point.name / f"seed{seed}"
    rounds = {"max_ite": asked.max_ite, "round_ite": asked.round_ite, "rounds": asked.rounds}
    if point.track == "all":
        rounds = {"max_ite": asked.max_ite + asked.round_ite * (asked.rounds - 1)}
    shared = {"data": asked.data, "root": asked.root, "recipe": asked.recipe, **asked.training}
    if point.track == "all":
        shared["skip_missing_gaze"] = False
    own = {**rounds, **point.settings, "exp_path": run_folder, "seed": seed, "resume": True}
    if both := own.keys() & shared.keys():
        raise ValueError(f"training: expected settings that all runs share, found {', '.join(sorted(both))}")
    settings = Settings.of(**shared, **own)
    return complete(settings, get_spec(asked.data, asked.root))


def _row(point: Point, seed: int, folder: Path) -> tuple:
    """The cells of ``COLUMNS``."""
    summary = read_summary(folder)
    if "last" not in summary["results"]:
        raise ValueError(f"{folder}: expected a score on test images, found none; remove it to train it again")
    seconds = sum(read_summary(part)["seconds"] for part in (folder, *sorted(folder.glob("round[0-9]*"))))
    dice = summary["results"]["last"]["metrics"]["ensemble"]["dice_mean"]
    return (point.track, point.masks, round(point.hours, 3), seed, dice, round(seconds / 60, 2))
