"""``run.py prepare``: fixations to heatmaps and CRF maps."""

from __future__ import annotations

import argparse
import functools

from tqdm import tqdm

from datasets.gaze.prepare import REPORT_FILE, prepare_gaze


def main(args: argparse.Namespace) -> int:
    report = prepare_gaze(
        args.data,
        args.root,
        args.fixations,
        sigma_px=args.sigma_px,
        num_levels=args.num_levels,
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
    return 0
