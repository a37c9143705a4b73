"""Options that several commands share: data, splits, loading."""

from __future__ import annotations

import os

from commands.options.types import NATURAL, POSITIVE_INT, Parser, number
from datasets.specs import DATASETS


def add_data(parser: Parser, *, required: bool = True) -> None:
    """Which data set, and where it is."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", choices=tuple(DATASETS), required=required, help="data set")
    group.add_argument("--root", required=True, help="its folder")


def add_loading(parser: Parser) -> None:
    """Batch size, loader processes, device."""
    group = parser.add_argument_group("loading and device")
    group.add_argument(
        "-bs", "--batch_size", type=POSITIVE_INT, default=8, help="images a batch, of all processes together"
    )
    workers = min(4, os.cpu_count() or 1)
    group.add_argument(
        "--num_worker", type=NATURAL, default=workers, help="loader processes; results do not depend on it"
    )
    group.add_argument("--device", default=None, help="CUDA index or cpu (default: the GPU if there is one)")


def add_split(parser: Parser) -> None:
    """The validation split."""
    group = parser.add_argument_group("splits")
    group.add_argument(
        "--val_fraction",
        type=number(float, 0, 0.9),
        default=0.0,
        help=(
            "share of the training cases kept apart for validation; the best checkpoint is then chosen there and the "
            "test set read once, at the end. With 0 and no val.txt it is chosen on the test set, as released, and "
            "labelled so"
        ),
    )
