"""The training loader: an epoch that decodes every image, and epochs from the cache; equal batches, side by side.

    python benchmarks/loader.py --data kvasir --root ROOT --num_worker 0,2

Nothing is written into ROOT: the cache on the disk goes to a temporary folder. ``--to FILE`` appends the printed table.
"""

import argparse
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

# One core a process: loader processes have no more, and the ways differ in how much they do.
os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from benchmarks.table import parser, report
from datasets import SegmentationDataset, build_dataset
from datasets.loaders import training_loader
from utils.settings import numbers

DECODING = "decoding each time"


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        expected = checksums(args, dataset(args, "off", Path(folder)), 0)
        rows = [row for workers in args.num_worker for row in ways(args, workers, Path(folder, str(workers)), expected)]
    size = f"{args.spatial_size}x{args.spatial_size}"
    batches = f"Batches of {args.batch_size}, {size}, two levels. All ways give bit-equal batches."
    report(f"Training loader, {args.data}", rows, [batches], ("torch", "numpy", "pillow"), args.to)


def parse_args() -> argparse.Namespace:
    options = parser(__doc__, data="kvasir", spatial_size=224, batch_size=8, cache_gb=2.0)
    options.add_argument("--root", required=True)
    options.add_argument("--epochs", type=int, default=5, help="later epochs, of which the mean is told")
    options.add_argument("--num_worker", type=numbers(int), default=(0, 2), metavar="N,N,...")
    return options.parse_args()


def ways(args: argparse.Namespace, workers: int, folder: Path, expected: list[int]) -> Iterator[dict]:
    """A row a way of loading; raises SystemExit where batches are not the expected ones."""
    decoding, memory, disk, found = (dataset(args, kind, folder) for kind in ("off", "memory", "disk", "disk"))
    table = (
        (DECODING, decoding, 0, 1),
        ("memory, first epoch", memory, 0, 1),
        ("memory, later epochs", memory, 1, args.epochs),
        ("disk, first epoch", disk, 0, 1),
        ("disk, later epochs", disk, 1, args.epochs),
        ("disk, first epoch of the next run", found, 0, 1),
    )
    seconds = {}
    for way, data, first, number in table:
        seconds[way] = epochs(args, data, workers, first, number) / number
        yield {
            "loader processes": workers,
            "way": way,
            "seconds an epoch": f"{seconds[way]:.2f}",
            "images a second": f"{len(data) / seconds[way]:.0f}",
            "times as fast": f"{seconds[DECODING] / seconds[way]:.1f}",
        }
    for way, data, *_ in table:
        if checksums(args, data, workers) != expected:
            raise SystemExit(f"{way}: expected the batches of {DECODING}, found others ({workers} loader processes)")


def dataset(args: argparse.Namespace, kind: str, folder: Path) -> SegmentationDataset:
    """The training images with two levels, without labels as in gaze training, and a cache of this kind."""
    options = {"spatial_size": args.spatial_size, "num_levels": 2, "has_labels": False}
    data = build_dataset(args.data, root=args.root, split="train", **options)
    data.use_cache(kind, max_gb=args.cache_gb, folder=folder)
    return data


def epochs(args: argparse.Namespace, data: SegmentationDataset, workers: int, first: int, number: int) -> float:
    """Seconds for some epochs, from the first batch asked for to the last."""
    started = time.perf_counter()
    for _ in loader(args, data, workers, first, number):
        pass
    return time.perf_counter() - started


def checksums(args: argparse.Namespace, data: SegmentationDataset, workers: int) -> list[int]:
    """Of all batches of the first two epochs."""
    parts = (batch[key].numpy() for batch in loader(args, data, workers, 0, 2) for key in ("image", "pseudo"))
    return [zlib.crc32(np.ascontiguousarray(part)) for part in parts]


def loader(args: argparse.Namespace, data: SegmentationDataset, workers: int, first: int, number: int):
    """Of ``number`` epochs from ``first`` (from 0) on."""
    batches = -(-len(data) // args.batch_size)
    start, stop = first * batches, (first + number) * batches
    return training_loader(data, batch_size=args.batch_size, max_ite=stop, start=start, num_worker=workers)


if __name__ == "__main__":
    main()
