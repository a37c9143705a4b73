"""Options that several commands share: data, checkpoints, loading, and all of ``evaluate``."""

from __future__ import annotations

from commands.options.types import Parser, spacing, workers
from datasets.specs import DATASETS
from utils.settings import NATURAL, POSITIVE_INT, add_settings, declared_settings, number


def add_data(parser: Parser, *, required: bool = True) -> None:
    """Which data set, and where it is, in a group of their own."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", choices=tuple(DATASETS), required=required, help="data set")
    group.add_argument("--root", required=True, help="its folder")


def add_checkpoints(parser: Parser) -> None:
    """Which checkpoints predict, at what size, and what is averaged."""
    # Here, as the registry brings torch along.
    from models.multi_level import ENSEMBLES

    parser.add_argument(
        "--ckpt_path",
        required=True,
        nargs="+",
        metavar="FILE",
        help="checkpoint of this project or of the reference; several are averaged",
    )
    parser.add_argument(
        "--spatial_size",
        type=number(int, 16),
        default=None,
        help="side of the network input (default: as trained; 224 if the checkpoint does not say)",
    )
    parser.add_argument(
        "--ensemble",
        choices=tuple(ENSEMBLES),
        default=None,
        help="what the prediction averages over levels, checkpoints and flips (default: as trained; logits if the "
        "checkpoint does not say)",
    )
    parser.add_argument(
        "--tta", action="store_true", help="average over the image and its three mirror images; four times the work"
    )


def add_overwrite(parser: Parser) -> None:
    """For commands that write single files."""
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there, whoever wrote them")


def add_loading(parser: Parser) -> None:
    """Batch size, threads, loader processes, device, in a group of their own."""
    add_as_of_train(parser.add_argument_group("loading and device"), "batch_size", "threads", "num_worker", "device")


def add_as_of_train(group, *names: str) -> None:
    """Settings of a training that other commands have too."""
    # Here, as they bring torch along.
    from training.settings import Settings

    add_settings(group, declared_settings(Settings, names))


def add_threshold(parser: Parser) -> None:
    """Where a mask begins."""
    parser.add_argument(
        "--threshold", type=number(float, 0, 1), default=0.5, help="foreground is where the probability is above it"
    )


def add_spacing(parser: Parser) -> None:
    """The size of pixels."""
    parser.add_argument(
        "--spacing_mm",
        type=spacing,
        default=None,
        metavar="MM",
        help="height,width of a pixel of every image, or one number for both (default: as DICOM headers say)",
    )


def add_report(parser: Parser) -> None:
    """The page to look at."""
    parser.add_argument("--report", action="store_true", help="write report.html: numbers, plots and every case")
    parser.add_argument("--fixations", default=None, metavar="CSV", help="fixation table to show in the report")


def add_assessing(parser: Parser) -> None:
    """What is scored of gaze maps, and in how many processes."""
    parser.add_argument(
        "--num_levels",
        type=POSITIVE_INT,
        default=None,
        help="whose thresholds are scored too (default: as many as the data set has)",
    )
    parser.add_argument("--workers", type=workers, default=-1, help="processes; -1 for one a core")


def add_evaluate(parser: Parser) -> None:
    """Options of ``evaluate``, which ``train --test`` means, too."""
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
    parser.add_argument_group("splits").add_argument(
        "--val_fraction",
        type=number(float, 0, 0.9),
        default=None,
        help="share of the training cases kept apart for validation (default: as trained)",
    )
    add_loading(parser)
