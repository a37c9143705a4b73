"""``run.py prepare``: fixations to heatmaps and CRF maps."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from tqdm import tqdm

from datasets.gaze.fixations import read_fixations
from datasets.gaze.levels import default_thresholds
from datasets.gaze.picture import EXAMPLES_FILE, gaze_picture
from datasets.gaze.prepare import REPORT_FILE, prepare_gaze
from datasets.specs import DatasetSpec, get_spec
from utils.images import write_image

NUM_EXAMPLES = 4


def main(args: argparse.Namespace) -> int:
    """Prepare all images, write report and picture, print the quality; returns 0."""
    spec = get_spec(args.data, args.root)
    num_levels = args.num_levels or len(spec.end_thresholds)
    report = prepare_gaze(
        args.data,
        args.root,
        args.fixations,
        sigma_px=args.sigma_px,
        num_levels=num_levels,
        workers=args.workers,
        progress=functools.partial(tqdm, desc="prepare", unit="image", disable=None),
    )
    print(f"prepared {report['num_images']} images, left out {report['num_left_out']}")
    for item in report["left_out"][:5]:
        print(f"  left out {item['name']}: {item['reason']}")
    quality = report["quality"]
    if quality is None:
        print("no masks: the quality of the maps is not known")
    else:
        print(f"mean Dice against {quality['num_images']} masks, by threshold:")
        for kind in ("heatmap", "crf"):
            print(f"  {kind:<8}" + "  ".join(f"{t}: {value:.4f}" for t, value in quality[kind].items()))
    print(f"report: {args.root}/{REPORT_FILE}")
    if report["num_images"]:
        print(f"examples: {_write_examples(args, spec, report, num_levels)}")
    return 0


def _write_examples(args: argparse.Namespace, spec: DatasetSpec, report: dict, num_levels: int) -> Path:
    """A picture of the first prepared images."""
    root, fixations = Path(args.root), read_fixations(args.fixations)
    left_out = {item["name"] for item in report["left_out"]}
    names = [name for name in fixations if name not in left_out][:NUM_EXAMPLES]
    thresholds = default_thresholds(spec.end_thresholds, num_levels)
    write_image(root / EXAMPLES_FILE, gaze_picture(spec, root, names, fixations, thresholds))
    return root / EXAMPLES_FILE
