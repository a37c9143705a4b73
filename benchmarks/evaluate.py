"""Evaluation against the plain way, on the same images with the same weights: images a second, and equal numbers.

    python benchmarks/evaluate.py --data kvasir --root ROOT

The plain way evaluates one image at a time and computes the propagated features, as the formula reads, though it throws
them away. Both read, predict and score whole test images with the released network (two levels, random weights), in
turn, several times. ``--ckpt_path`` takes other weights, ``--to FILE`` appends the printed table.
"""

import argparse
import copy
import math
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.step import plain_propagation
from benchmarks.table import parser, report
from datasets import build_dataset
from datasets.loaders import evaluation_loader
from evaluation.metrics import HEADLINE
from inference.network_scores import score_network
from models import Ensemble, build_from_weights, build_model
from models.checkpoint import load_checkpoint
from utils.devices import fastest_layout, pick_device

PLAIN = "plain way: batch of one, propagation computed"


class PlainWay(nn.Module):
    """Computes the propagated features of every level, and predicts without them."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        level_logits = []
        for level in self.model.model:
            feature, logits = level(x)
            level.classifier(plain_propagation(feature))
            level_logits.append(logits)
        stacked = torch.stack(level_logits)
        return {"logits": stacked.mean(dim=0), "level_logits": stacked}


def main() -> None:
    args = parse_args()
    device = pick_device(args.device)
    model = network(args).to(device).eval()
    ours = Ensemble([copy.deepcopy(model)]).to(memory_format=fastest_layout(device))
    dataset = build_dataset(args.data, root=args.root, split="test", spatial_size=args.spatial_size)
    dataset = dataset.subset(dataset.names[: args.images])
    ways = {
        PLAIN: (PlainWay(model), 1, False),
        "ours, batch of one": (ours, 1, False),
        f"ours, batch of {args.batch_size}": (ours, args.batch_size, False),
        "the same with distances": (ours, args.batch_size, True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, pd.DataFrame] = {}
    for _ in range(args.rounds):
        for way, (one, batch_size, distances) in ways.items():
            began = time.perf_counter()
            loader = evaluation_loader(dataset, batch_size=batch_size, num_worker=args.num_worker)
            found[way] = score_network(one, loader, device, distances=distances)
            seconds[way].append(time.perf_counter() - began)
    rows = [row(way, seconds, found, len(dataset)) for way in ways]
    size = f"{args.spatial_size}x{args.spatial_size}"
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    note = (
        f"{len(dataset)} test images of {args.data} at {size}, scored at their own sizes, two levels, float32, on "
        f"{where}, {args.num_worker} loader processes; the median of {args.rounds} rounds. The last column is the "
        "largest difference of any case and level in Dice or IoU."
    )
    report("Evaluation", rows, [note], ("torch",), args.to)


def row(way: str, seconds: dict[str, list[float]], found: dict[str, pd.DataFrame], num_images: int) -> dict[str, str]:
    speed, plain = (num_images / statistics.median(seconds[name]) for name in (way, PLAIN))
    difference = largest_difference(found[way], found[PLAIN])
    return {
        "way": way,
        "images a second": f"{speed:.2f}",
        "times as fast": f"{speed / plain:.2f}",
        "difference": f"{difference:.1e}" if difference else "0",
    }


def largest_difference(table: pd.DataFrame, other: pd.DataFrame) -> float:
    """Of any case and level in Dice or IoU; none where both have no value, infinite where one alone has none."""
    ours, theirs = table[list(HEADLINE)], other[list(HEADLINE)]
    if not ours.isna().equals(theirs.isna()):
        return math.inf
    return float((ours - theirs).abs().fillna(0).max(axis=None))


def network(args: argparse.Namespace) -> nn.Module:
    """The network of the checkpoint, or the released one with random weights."""
    if args.ckpt_path:
        checkpoint = load_checkpoint(args.ckpt_path)
        return build_from_weights(checkpoint["state_dict"], (checkpoint.get("config") or {}).get("model"))
    torch.manual_seed(0)
    return build_model("unet", in_channels=1 if args.data == "prostate" else 3, num_levels=2, init="independent")


def parse_args() -> argparse.Namespace:
    options = parser(__doc__, data="kvasir", batch_size=8, spatial_size=224, num_worker=0, rounds=3, device="cpu")
    options.add_argument("--root", required=True)
    options.add_argument("--ckpt_path", default=None, help="weights to evaluate (default: random ones)")
    options.add_argument("--images", type=int, default=24, help="of the test set")
    return options.parse_args()


if __name__ == "__main__":
    main()
