"""Options of ``evaluate``, which ``train --test`` means, too."""

from __future__ import annotations

from commands.options.shared import (
    add_checkpoints,
    add_data,
    add_loading,
    add_report,
    add_spacing,
    add_split,
    add_threshold,
)
from commands.options.types import Parser
from utils.settings import NATURAL


def add_evaluate(parser: Parser) -> None:
    """Options of ``evaluate``."""
    add_data(parser, required=False)
    add_checkpoints(parser)
    parser.add_argument("--exp_path", default=None, help="where the results go (default: beside the checkpoint)")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="which cases")
    add_threshold(parser)
    parser.add_argument("--save_pred", action="store_true", help="write the predicted masks as PNG")
    parser.add_argument(
        "--save_prob", action="store_true", help="write the probabilities of ensemble and levels as 16-bit PNG"
    )
    add_spacing(parser)
    add_report(parser)
    parser.add_argument("--seed", type=NATURAL, default=None, help="of the validation split (default: as trained)")
    add_split(parser)
    add_loading(parser)
