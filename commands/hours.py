"""``run.py hours``: test Dice against hours of annotation: gaze, a few masks, both, and every mask."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from commands.options import SIDE, Parser, add_as_of_train, add_data, add_loading
from commands.outputs import Folder, Output
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
from training.rounds import check_same_labels
from training.settings import Settings
from utils.files import write_text
from utils.settings import NATURAL, POSITIVE, POSITIVE_INT, numbers

TABLE_FILE, NUMBERS_FILE, FIGURE_FILE = "hours.md", "hours.csv", "hours.png"
COLUMNS = ("track", "masks", "hours", "seed", "dice", "training_minutes")
TRACKS = {
    "gaze": "gaze alone",
    "gaze+masks": "gaze and n masks",
    "masks": "n masks, self-trained on all images",
    "all": "every mask",
}
SECONDS_AN_HOUR = 3600


def add_options(parser: Parser) -> None:
    add_data(parser)
    parser.add_argument("--fixations", required=True, help="the fixation table")
    parser.add_argument("--exp_path", required=True, help="folder of all runs, the table and the figure")
    listed = {"type": numbers(NATURAL, each_once=True), "metavar": "N,N,..."}
    parser.add_argument("--masks", **listed, default="15,45,90,200", help="masks drawn")
    parser.add_argument("--seeds", **listed, default="0,1,2", help="a run each")
    parser.add_argument("--gaze_seconds", type=POSITIVE, default=8.8, help="to look at an image (as published)")
    parser.add_argument("--mask_seconds", type=POSITIVE, default=74.8, help="to draw a mask (as published)")
    group = parser.add_argument_group("training; as of train")
    group.add_argument("--recipe", default="strong", help="of all runs")
    group.add_argument("--spatial_size", type=SIDE, help="side of the network input (default: the recipe's)")
    group.add_argument("--rounds", type=POSITIVE_INT, default=3, help="where not every mask is there")
    group.add_argument("--round_ite", type=POSITIVE_INT, default=250, help="iterations of each round before the last")
    group.add_argument("--max_ite", type=POSITIVE_INT, default=400, help="of the last round; all masks have the sum")
    add_as_of_train(parser, "skip_missing_gaze")
    add_loading(parser)


class Point(NamedTuple):
    """A way to annotate: its track, how many masks it has, the hours that it takes, and the settings of training."""

    track: str
    masks: int
    hours: float
    settings: dict[str, object]

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.track}_{self.masks}" if self.track in ("gaze+masks", "masks") else self.track


def outputs(args: argparse.Namespace) -> list[Output]:
    form, names = f"^{','.join(COLUMNS[:4])}", (TABLE_FILE, NUMBERS_FILE, FIGURE_FILE)
    # Each run looks after its own; but what a killed training left half-written goes, too.
    return [Folder("--exp_path", Path(args.exp_path), ours=form, names=names, sign=NUMBERS_FILE, inside=("**",))]


def main(args: argparse.Namespace) -> int:
    """Train what is not there yet, seed by seed, a row as soon as it is done; 0, or the code of a run that stopped."""
    folder, rows = Path(args.exp_path), []
    points = list(points_of(args))
    runs = [(point, _settings(args, point, folder, seed)) for seed in args.seeds for point in points]
    for _, settings in runs:
        check_same_options_as_before(settings, None)
        if settings.makes_labels:
            check_same_labels(settings)
    for _, settings in runs[: len(points)]:
        # What is wrong with the data shows before the first of them trains.
        if (settings.folder / SUMMARY_FILE).is_file():
            continue
        check_sources(settings)
        if evaluation_sets(settings)[1] is None:
            raise ValueError(f"{args.root}: expected masks/ and test.txt to score on, found none")
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


def points_of(args: argparse.Namespace) -> Iterator[Point]:
    """All ways to annotate, the cheapest of each track first."""
    names = split_names(get_spec(args.data, args.root), Path(args.root), "train")
    num_images, seen = len(names), read_fixations(args.fixations)
    # Without --skip_missing_gaze, all of them.
    looking = sum(name in seen for name in names) * args.gaze_seconds / SECONDS_AN_HOUR
    drawing = args.mask_seconds / SECONDS_AN_HOUR
    gaze = {"fixations": args.fixations}
    yield Point("gaze", 0, looking, gaze | {"pseudo": "area"})
    for n in filter(None, args.masks):
        yield Point("gaze+masks", n, looking + n * drawing, gaze | {"pseudo": "fusion", "masks": n})
        yield Point("masks", n, n * drawing, {"pseudo": "network", "masks": n})
    yield Point("all", num_images, num_images * drawing, {"mode": "full_sup"})


def hours_table(runs: pd.DataFrame) -> str:
    """Markdown: a line a way to annotate, the mean and deviation over its seeds."""
    lines = []
    for (track, masks), of_point in runs.groupby(["track", "masks"], sort=False):
        dice = 100 * of_point["dice"]
        deviation = f" ± {dice.std():.2f}" if len(dice) > 1 else ""
        hours, minutes = of_point["hours"].iloc[0], of_point["training_minutes"].mean()
        shown = (f"{hours:.1f}", f"{dice.mean():.2f}{deviation}", str(len(dice)), f"{minutes:.0f}")
        lines.append((TRACKS[track].replace("n masks", f"{masks} masks"), *shown))
    return table(("annotation", "hours", "test Dice %", "seeds", "minutes of training"), lines) + "\n"


def _settings(args: argparse.Namespace, point: Point, folder: Path, seed: int) -> Settings:
    """Of one run; where every mask is there, as many steps as all rounds of the others together."""
    run_folder = folder / point.name / f"seed{seed}"
    rounds = {"max_ite": args.max_ite, "round_ite": args.round_ite, "rounds": args.rounds}
    if point.track == "all":
        rounds = {"max_ite": args.max_ite + args.round_ite * (args.rounds - 1)}
    keys = ("recipe", "data", "root", "skip_missing_gaze", "batch_size", "device", "threads", "num_worker")
    shared = {key: getattr(args, key) for key in keys}
    shared["skip_missing_gaze"] &= point.track != "all"
    shared |= {"spatial_size": args.spatial_size} if args.spatial_size else {}
    settings = Settings.of(**shared, **rounds, **point.settings, exp_path=run_folder, seed=seed, resume=True)
    return complete(settings, get_spec(args.data, args.root))


def _row(point: Point, seed: int, folder: Path) -> tuple:
    """The cells of ``COLUMNS``."""
    summary = read_summary(folder)
    if "last" not in summary["results"]:
        raise ValueError(f"{folder}: expected a score on test images, found none; remove it to train it again")
    seconds = sum(read_summary(part)["seconds"] for part in (folder, *sorted(folder.glob("round[0-9]*"))))
    dice = summary["results"]["last"]["metrics"]["ensemble"]["dice_mean"]
    return (point.track, point.masks, round(point.hours, 3), seed, dice, round(seconds / 60, 2))
