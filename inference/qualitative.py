"""Content of a qualitative figure: cases are chosen, their files found and read, checkpoints run on them."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets import io
from datasets.files import find_file, sample_image, sample_label, sample_path
from datasets.gaze.crf import crf_image
from datasets.gaze.fixations import Fixations, read_fixations
from datasets.gaze.levels import check_thresholds, default_thresholds
from datasets.specs import DatasetSpec, get_spec
from evaluation.metrics import THRESHOLD, count, dice
from evaluation.per_case import ENSEMBLE, LEVEL, NAME, PREDICTIONS_FOLDER, evenly_spaced, find_per_case, read_per_case
from evaluation.run_names import NamedPath, named_paths
from reporting.qualitative_figure import Cell
from reporting.visualize import PREDICTION_COLOUR, TRUTH_COLOUR, map_picture, mask_picture, with_ignored
from utils.inputs import CONTROL_CHARACTERS, shown

# Choices of cases by Dice, see ``choose_cases``, and of how masks are drawn.
RANKINGS = ("worst", "best", "spread")
STYLES = ("contours", "masks")
COLUMNS = ("image", "fixations", "heatmap", "crf", "levels", "predictions", "truth")
# Columns that show files of the data set, and the kind of file; see ``datasets.files.sample_path``.
KINDS = {"image": "images", "truth": "masks", "heatmap": "heatmap", "crf": "map", "levels": "map"}
# Yellow, then Okabe and Ito's sky blue, purple, vermillion and blue; further runs begin again.
RUN_COLOURS = {
    "yellow": PREDICTION_COLOUR,
    "light blue": (86, 180, 233),
    "purple": (204, 121, 167),
    "vermillion": (213, 94, 0),
    "blue": (0, 114, 178),
}
Predict = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class FigureRequest:
    """Request for a qualitative figure: its content and style.

    Attributes:
        data, root: name of the data set, and its folder.
        names: the cases.
        runs: results folders or checkpoints, with a name (``NAME=PATH``) or without.
        columns: of ``COLUMNS``, whose files must be there; None for the usual ones that are there.
        fixations: the table, or None.
        level_thresholds: on the CRF map, a level each; None: the data set's.
        style: ``contours`` or ``masks``.
        dice: write Dice below predictions.
        threshold: on a checkpoint's probability.
        device: to run checkpoints on, as on the command line.
    """

    data: str
    root: str | Path
    names: Sequence[str]
    runs: Sequence[str | Path] = ()
    columns: Sequence[str] | None = None
    fixations: str | Path | None = None
    level_thresholds: Sequence[float] | None = None
    style: str = "contours"
    dice: bool = False
    threshold: float = THRESHOLD
    device: str | None = None

    @functools.cached_property
    def spec(self) -> DatasetSpec:
        return get_spec(self.data, self.root)

    @functools.cached_property
    def named_runs(self) -> list[NamedPath]:
        return named_paths(self.runs, "--runs")

    @property
    def thresholds(self) -> Sequence[float]:
        ends = self.spec.end_thresholds
        return self.level_thresholds or default_thresholds(ends, len(ends))

    def file(self, column: str, name: str) -> Path:
        """Path of a column's file of a case."""
        return sample_path(self.spec, Path(self.root), KINDS[column], name)

    def missing(self, column: str) -> list[Path]:
        """Missing files of a column."""
        paths = [self.file(column, name) for name in self.names]
        return [path for path in paths if not path.is_file()]


def choose_cases(table: str | Path, how: str, count: int) -> list[str]:
    """Choose cases by the ensemble's Dice in a per-case table; those without one are skipped.

    Args:
        table: results folder or file.
        how: ``worst``, ``best`` (the best first) or ``spread`` (from the worst to the best at even steps).
        count: of all cases if there are fewer.

    Raises:
        OSError, ValueError: for a table that is none, or without any Dice.
    """
    if how not in RANKINGS:
        raise ValueError(f"how: expected {', '.join(RANKINGS[:-1])} or {RANKINGS[-1]}, found {how!r}")
    path = find_per_case(table)
    read = read_per_case(path)
    known = read[(read[LEVEL] == ENSEMBLE) & read["dice"].notna()] if "dice" in read else read[:0]
    ranked = known.sort_values(["dice", NAME])[NAME].tolist() if len(known) else []
    if not ranked:
        raise ValueError(f"{path}: expected a Dice of the ensemble to rank cases by, found none")
    return {"worst": ranked, "best": ranked[::-1], "spread": evenly_spaced(ranked, count)}[how][:count]


def contents(wanted: FigureRequest) -> tuple[list[str], list[list[Cell]], list[str]]:
    """Content of the figure: read files, predict, arrange cells; nothing is written.

    Returns:
        Titles of the columns; rows of cells, one a case; notes on columns left out and on colours.

    Raises:
        OSError, ValueError: for a file that is absent or does not fit, a requested column that cannot be shown, or an
            invalid id.
    """
    _check_names(wanted.names)
    known = (("--columns", COLUMNS, wanted.columns or ()), ("style", STYLES, (wanted.style,)))
    for option, expected, found in known:
        if not set(found) <= set(expected):
            raise ValueError(f"{option}: expected some of {', '.join(expected)}, found {', '.join(found)}")
    check_thresholds(wanted.thresholds)
    fixations = read_fixations(wanted.fixations) if wanted.fixations else {}
    if missing := wanted.missing("image"):
        raise FileNotFoundError(f"{missing[0]}: expected the image of an id, found none; look at --root and the ids")
    columns, notes = _columns_there(wanted, fixations)
    without_truth = wanted.missing("truth")
    if wanted.dice and without_truth:
        raise FileNotFoundError(f"--dice: expected the masks of all cases, found none at {without_truth[0]}")
    predictors = {run.name: _predictor(run, wanted) for run in wanted.named_runs} if "predictions" in columns else {}
    rows, titles = [], []
    for name in wanted.names:
        case = _Case(wanted, name, with_truth=not without_truth)
        cells = [cell for column in columns for cell in case.cells(column, fixations, predictors)]
        titles = [title for title, _ in cells]
        rows.append([cell for _, cell in cells])
    return titles, rows, [*notes, *_colour_notes(wanted, columns, with_truth=not without_truth)]


def _check_names(names: Sequence[str]) -> None:
    if not names or isinstance(names, str):
        raise ValueError(f"--ids: expected a list of ids, one at least, found {names!r}")
    for index, name in enumerate(names):
        if not name or Path(name).name != name or "\\" in name or CONTROL_CHARACTERS.search(name):
            raise ValueError(f"--ids: expected plain ids, without folders, found {shown(name)}")
        if name in names[:index]:
            raise ValueError(f"--ids: expected every id once, found {name} again")


def _columns_there(wanted: FigureRequest, fixations: Mapping[str, Fixations]) -> tuple[list[str], list[str]]:
    """The columns to show, and a note for each usual one that is left out."""
    # Usual are columns of given inputs, without the CRF map, which the levels show.
    given = {"fixations": wanted.fixations, "predictions": wanted.runs, "crf": False}
    columns, notes = [], []
    for column in wanted.columns or [column for column in COLUMNS if given.get(column, True)]:
        lacks = _lacks(wanted, column, fixations)
        if lacks is None:
            columns.append(column)
        elif wanted.columns:
            raise FileNotFoundError(f"--columns {column}: {lacks}")
        else:
            notes.append(f"left out the column {column}: {lacks}")
    return columns, notes


def _lacks(wanted: FigureRequest, column: str, fixations: Mapping[str, Fixations]) -> str | None:
    """Why a column cannot be shown, with advice; None if it can."""
    if column == "predictions":
        return None if wanted.runs else "expected --runs, found none"
    if column == "fixations":
        if not wanted.fixations:
            return "expected --fixations CSV, found none"
        without = [name for name in wanted.names if name not in fixations]
        return (
            f"expected fixations on every case, found none on {without[0]} in {wanted.fixations}" if without else None
        )
    if not (missing := wanted.missing(column)):
        return None
    prepare = f"run.py prepare --data {wanted.spec.name} --root {wanted.root} --fixations CSV makes it"
    return f"expected {missing[0]}, found none; {'put it there' if column == 'truth' else prepare}"


class _Case:
    """One case and its cells."""

    def __init__(self, wanted: FigureRequest, name: str, *, with_truth: bool):
        self.wanted, self.name = wanted, name
        self.picture = crf_image(sample_image(wanted.spec, Path(wanted.root), name))
        self.label, self.outline = io.Label(None), ()
        if with_truth:
            self.label = sample_label(wanted.spec, Path(wanted.root), name)
            truth = self._fitting(self.label.mask, wanted.file("truth", name))
            self.outline = ((truth, TRUTH_COLOUR),) if wanted.style == "contours" else ()

    def cells(
        self, column: str, fixations: Mapping[str, Fixations], predictors: Mapping[str, Predict]
    ) -> list[tuple[str, Cell]]:
        """Titles and cells of one column, of which levels and predictions have several."""
        if column == "image":
            return [("image", Cell(self.picture))]
        if column == "fixations":
            gaze = fixations[self.name]
            return [("fixations", Cell(self.picture, fixations=(gaze.xy, gaze.duration_ms)))]
        if column == "truth":
            return [("truth", self._mask(self.label.mask, self.outline))]
        if column == "predictions":
            coloured = zip(predictors.items(), itertools.cycle(RUN_COLOURS.values()), strict=False)
            return [(run, self._predicted(predict, run, colour)) for (run, predict), colour in coloured]
        values = self._fitting(io.read_map(path := self.wanted.file(column, self.name)), path)
        if column != "levels":
            return [({"crf": "CRF map"}.get(column, column), Cell(map_picture(values)))]
        return [
            (f"level {level} (≥{threshold:g})", Cell(mask_picture(values >= threshold), self.outline))
            for level, threshold in enumerate(self.wanted.thresholds, start=1)
        ]

    def _predicted(self, predict: Predict, run: str, colour: tuple[int, int, int]) -> Cell:
        mask, caption = self._fitting(predict(self.name), f"{run}, {self.name}"), ""
        if self.wanted.dice:
            scored = None if self.label.ignore is None else ~self.label.ignore
            score = dice(count(mask, self.label.mask, scored))
            caption = "–" if score != score else f"{100 * score:.1f}"
        return self._mask(mask, (*self.outline, (mask, colour)), caption)

    def _mask(self, mask: np.ndarray, outlines: tuple, caption: str = "") -> Cell:
        if self.wanted.style == "contours":
            return Cell(with_ignored(self.picture, self.label.ignore), outlines, caption=caption)
        return Cell(with_ignored(mask_picture(mask), self.label.ignore), caption=caption)

    def _fitting(self, values: np.ndarray, what: object) -> np.ndarray:
        height, width = self.picture.shape[:2]
        if values.shape != (height, width):
            raise ValueError(
                f"{what}: expected the image's size, {width}x{height}, found {values.shape[1]}x{values.shape[0]}; make "
                "it again from this image"
            )
        return values


def _predictor(run: NamedPath, wanted: FigureRequest) -> Predict:
    """Function from a case to its mask (H,W) bool: by a folder of predictions, or a checkpoint."""
    if run.path.is_file():
        # Imported here, as it imports torch, which folders of predictions do without.
        from inference.predictor import Predictor

        predictor = Predictor(run.path, wanted.device)
        return lambda name: predictor(wanted.file("image", name)) > wanted.threshold
    if not run.path.is_dir():
        raise FileNotFoundError(f"{run.path}: expected a results folder or a checkpoint, found none")
    paths = {name: find_file(run.path / PREDICTIONS_FOLDER, name, (".png",)) for name in wanted.names}
    for path in paths.values():
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: expected the prediction of a run, found none; run.py evaluate with --save_pred writes it, "
                "or name a checkpoint (.pth) in --runs"
            )
    return lambda name: io.read_mask(paths[name])


def _colour_notes(wanted: FigureRequest, columns: Sequence[str], *, with_truth: bool) -> list[str]:
    hatched = with_truth and {"predictions", "truth"} & set(columns)
    ignored = ["grey hatching: not scored"] if hatched and wanted.spec.ignore_value is not None else []
    if wanted.style != "contours":
        return ignored
    parts = ["truth green"] if with_truth and {"levels", "predictions", "truth"} & set(columns) else []
    if "predictions" in columns:
        named = zip(wanted.named_runs, itertools.cycle(RUN_COLOURS), strict=False)
        parts += [f"{run.name} {colour}" for run, colour in named]
    return ([f"outlines: {', '.join(parts)}"] if parts else []) + ignored
