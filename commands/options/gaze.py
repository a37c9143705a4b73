"""Options of the commands that make gaze maps: ``fixations``, ``prepare``, ``assess``."""

from __future__ import annotations

import argparse

from commands.options.shared import add_data, add_overwrite
from commands.options.types import (
    NATURAL,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_INT,
    Parser,
    measures,
    pattern,
    workers,
)
from datasets.gaze.crf import CRF_ENGINES
from datasets.gaze.map_files import MAP_FORMAT_CHOICES
from datasets.recordings import COLUMN_ROLES, EYES, FORMATS, METHODS, TIME_UNITS, XY_UNITS


def add_prepare(parser: Parser) -> None:
    """Options of ``prepare``."""
    add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    parser.add_argument(
        "--sigma_px",
        type=POSITIVE,
        default=None,
        help="Gaussian of the heatmap, canvas pixels (default: the data set's)",
    )
    parser.add_argument(
        "--map_format", choices=MAP_FORMAT_CHOICES, default="as-reference", help="JPEG for Kvasir, or PNG"
    )
    parser.add_argument("--report", action="store_true", help="write the quality figure too, as assess does")
    _add_assessing(parser)
    parser.add_argument(
        "--dask", metavar="ADDRESS", default=None, help="scheduler of a Dask cluster that does the work instead"
    )
    group = parser.add_argument_group("CRF (defaults: as released)")
    group.add_argument("--crf_compat", type=NOT_NEGATIVE, default=1.0, help="weight of the Potts term")
    group.add_argument("--crf_iterations", type=NATURAL, default=10, help="of mean field")
    group.add_argument("--crf_sxy", type=POSITIVE, default=80.0, help="standard deviation of position, pixels")
    group.add_argument("--crf_engine", choices=tuple(CRF_ENGINES), default="compiled", help="both give the same maps")
    group.add_argument("--crf_srgb", type=POSITIVE, default=13.0, help="standard deviation of colour, grey values")


def add_assess(parser: Parser) -> None:
    """Options of ``assess``."""
    add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    parser.add_argument(
        "--map_folder", default=None, help="maps of a round of training to score in place of the data folder's CRF maps"
    )
    _add_assessing(parser)


def _add_assessing(parser: Parser) -> None:
    parser.add_argument(
        "--num_levels",
        type=POSITIVE_INT,
        default=None,
        help="whose thresholds are scored too (default: as many as the data set has)",
    )
    parser.add_argument("--workers", type=workers, default=-1, help="processes; -1 for one a core")


def add_fixations(parser: Parser) -> None:
    """Options of ``fixations``."""
    parser.add_argument(
        "recordings", nargs="+", metavar="IN", help="recordings, as the trackers' software exports them"
    )
    parser.add_argument("--to", default=None, metavar="CSV", help="fixation table to write, for prepare --fixations")
    parser.add_argument("--list", action="store_true", help="print the trials that the recordings have")
    parser.add_argument(
        "--trials_template", default=None, metavar="CSV", help="write a table of these trials to fill in, for --trials"
    )
    add_overwrite(parser)
    parser.add_argument("--format", choices=tuple(FORMATS), default=None, help="of the files (default: by content)")
    _add_fixations_images(parser)
    _add_fixations_method(parser)
    group = parser.add_argument_group("tables")
    group.add_argument(
        "--columns", type=_columns, default=None, metavar="t=NAME,x=NAME,...", help="columns (default: by usual names)"
    )
    group.add_argument(
        "--valid",
        type=_values,
        default=None,
        metavar="VALUE[,VALUE]",
        help="what the column of validity has where a row is good (default: true, valid; 1 where it is called valid)",
    )
    group.add_argument("--time_unit", choices=TIME_UNITS, default=None, help="of times (default: by name or step)")
    group.add_argument("--xy_unit", choices=XY_UNITS, default=None, help="of positions (default: by name, else px)")


def _add_fixations_images(parser: Parser) -> None:
    group = parser.add_argument_group("which image, where and when")
    group.add_argument("--image", default=None, help="the image, for recordings of one that do not say")
    group.add_argument(
        "--trials",
        default=None,
        metavar="CSV",
        help=(
            "table of trials with any of recording, number, trial, image, left, top, width, height (px on the screen), "
            "start_ms, end_ms (the recording's clock), image_width, image_height"
        ),
    )
    group.add_argument(
        "--stimulus_rect",
        type=measures(4, positive=2),
        default=None,
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="where every image is, px of the screen (default: as the recording says, else the whole screen)",
    )
    messages = (
        (
            "--image_message",
            "that names the image, in its first group if it has one (default: TRIAL_VAR, IMGLOAD, TRIALID)",
        ),
        ("--onset_message", "at which the image appears (default: SYNCTIME and the like, else the start of the trial)"),
        ("--offset_message", "at which it vanishes (default: blank_screen and the like, else the end of the trial)"),
    )
    for option, meaning in messages:
        group.add_argument(option, type=pattern, default=None, metavar="REGEX", help=f"EyeLink message {meaning}")


def _add_fixations_method(parser: Parser) -> None:
    group = parser.add_argument_group("fixations")
    group.add_argument(
        "--method",
        choices=METHODS,
        default=None,
        help="the tracker's own events, or velocity or dispersion of the samples (default: events if any, else ivt)",
    )
    group.add_argument("--eye", choices=EYES, default="auto", help="auto: the tracker's mean, else the right one")
    group.add_argument("--min_duration_ms", type=NOT_NEGATIVE, default=50.0, help="shorter fixations are left out")
    group.add_argument("--velocity_deg_s", type=POSITIVE, default=30.0, help="ivt: slower samples are a fixation")
    group.add_argument(
        "--merge_gap_ms",
        type=NOT_NEGATIVE,
        default=75.0,
        help="ivt: fixations no further apart, nor by 0.5 deg, are one",
    )
    group.add_argument(
        "--dispersion_deg", type=POSITIVE, default=1.0, help="idt: extent in x plus extent in y, at most"
    )
    group.add_argument("--screen_px", type=measures(2, positive=2), default=None, metavar="W,H", help="screen, pixels")
    group.add_argument("--screen_cm", type=measures(2, positive=2), default=None, metavar="W,H", help="screen, cm")
    group.add_argument("--distance_cm", type=POSITIVE, default=None, help="from the eye to the screen")
    group.add_argument("--sampling_rate_hz", type=POSITIVE, default=None, help="(default: as the recording says)")


def _values(text: str) -> tuple[str, ...]:
    """A type for ``VALUE[,VALUE]``."""
    values = tuple(part.strip() for part in text.split(","))
    if not all(values):
        raise argparse.ArgumentTypeError(f"expected VALUE[,VALUE], found {text!r}")
    return values


def _columns(text: str) -> dict[str, str]:
    """A type for ``role=NAME,...``; a name may hold an equals sign, but no comma."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(role in COLUMN_ROLES and name for role, _, name in pairs) or len({p[0] for p in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(
            f"expected role=NAME,... with each role of {', '.join(COLUMN_ROLES)} at most once, found {text!r}"
        )
    return {role: name for role, _, name in pairs}
