"""``run.py prepare``: fixations to heatmaps and CRF maps."""

import argparse
import functools
from pathlib import Path

from tqdm import tqdm

from commands.options import Parser, add_data, add_shared, settings_from_args
from datasets.files import REPORT_FILE, sample_path
from datasets.gaze.fixations import read_fixations
from datasets.gaze.levels import default_thresholds
from datasets.gaze.map_files import MAP_FORMAT_CHOICES
from datasets.gaze.prepare import GazeSettings, prepare_gaze
from datasets.specs import DatasetSpec, get_spec
from reporting.gaze import EXAMPLES_FILE, FIGURE_FILE, gaze_picture, print_named, print_quality, write_figure
from utils.images import write_image
from utils.interrupt import PARTLY_DONE_CODE
from utils.settings import POSITIVE, add_settings, declared_settings

NUM_EXAMPLES = 4


def add_options(parser: Parser) -> None:
    add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    parser.add_argument(
        "--sigma_px", type=POSITIVE, help="Gaussian of the heatmap, canvas pixels (default: the data set's)"
    )
    parser.add_argument(
        "--map_format",
        choices=MAP_FORMAT_CHOICES,
        default="as-reference",
        help="as-reference: JPEG for Kvasir, PNG for the prostate, of a folder as its dataset.toml says",
    )
    parser.add_argument("--report", action="store_true", help="write the quality figure too, as assess does")
    add_shared(parser, "num_levels", "workers")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster that does the work instead")
    group = parser.add_argument_group("CRF (defaults: as released)")
    add_settings(group, declared_settings(GazeSettings))


def main(args: argparse.Namespace) -> int:
    """Prepare all images, write report and picture, print the quality; 1 if an image could not be prepared, a training
    image has no gaze, or a mask could not be used, else 0."""
    spec = get_spec(args.data, args.root)
    report = prepare_gaze(
        args.data,
        args.root,
        args.fixations,
        settings=settings_from_args(
            GazeSettings, args, sigma_px=spec.sigma_px if args.sigma_px is None else args.sigma_px
        ),
        num_levels=args.num_levels,
        map_format=args.map_format,
        workers=args.workers,
        dask=args.dask,
        progress=functools.partial(tqdm, desc="prepare", unit="image", disable=None),
    )
    kept = report["num_images"] - report["num_made"]
    print(f"prepared {report['num_images']} images ({kept} were up to date), left out {report['num_left_out']}")
    broken = [item["name"] for item in report["left_out"] if item["broken"]]
    print_named("left out", report["left_out"], REPORT_FILE)
    without = [name for name in broken if not sample_path(spec, Path(args.root), "map", name).is_file()]
    if without and report["num_images"]:
        print(f"  {len(without)} of them should have a map: train --skip_missing_gaze goes on without it")
    print_named("not scored", report["unscored"], REPORT_FILE)
    print_quality(report["quality"])
    print(f"report: {args.root}/{REPORT_FILE}")
    # A figure of the maps before would contradict the table.
    if args.report or (Path(args.root) / FIGURE_FILE).is_file():
        print(f"figure: {write_figure(Path(args.root))}")
    if report["num_images"] > len(report["unscored"]):
        print(f"examples: {_write_examples(args, spec, report)}")
    return PARTLY_DONE_CODE if broken or report["unscored"] else 0


def _write_examples(args: argparse.Namespace, spec: DatasetSpec, report: dict) -> Path:
    """A picture of the first prepared images."""
    root, fixations = Path(args.root), read_fixations(args.fixations)
    unusable = {item["name"] for item in (*report["left_out"], *report["unscored"])}
    names = [name for name in fixations if name not in unusable][:NUM_EXAMPLES]
    thresholds = default_thresholds(spec.end_thresholds, args.num_levels or len(spec.end_thresholds))
    write_image(root / EXAMPLES_FILE, gaze_picture(spec, root, names, fixations, thresholds))
    return root / EXAMPLES_FILE
