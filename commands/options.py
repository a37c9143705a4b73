"""The parser, types of options beside those of ``utils.settings``, and options that several commands share."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields

from evaluation.metrics import THRESHOLD
from utils.settings import POSITIVE_INT, add_settings, declared_settings, number, number_tuple, setting

# Arguments of options that take several words; an option given twice takes all of them.
MULTIPLE_VALUES = {"nargs": "+", "action": "extend"}
SHARE, SIDE = number(float, 0, 1), number(int, 16)


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help formatter that adds defaults, unless they are None or False, or in the help already."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or "(default: " in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Parser whose errors are one line; abbreviations are refused, since a new option would change their meaning."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **kwargs)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def words(choices: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """Option type of some of ``choices`` separated by commas, each once."""

    def convert(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(","))
        if not set(found) <= set(choices) or len(set(found)) < len(found):
            raise argparse.ArgumentTypeError(
                f"expected some of {', '.join(choices)}, separated by commas, each once, found {text!r}"
            )
        return found

    return convert


def spacing(text: str) -> tuple[float, float]:
    """Option type of the height and width of a pixel: two numbers above 0, or one for both."""
    return number_tuple(2, positive=2)(text if "," in text else f"{text},{text}")


def processes(text: str) -> int:
    """Option type of a number of processes."""
    return -1 if text.strip() == "-1" else POSITIVE_INT(text)


def settings_from_args(settings: type, args: argparse.Namespace, **others):
    """Make a dataclass of settings from the options of its fields' names; ``others`` override them."""
    named = {one.name: getattr(args, one.name) for one in fields(settings) if hasattr(args, one.name)}
    return settings(**named | others)


def add_data(parser: Parser, *, required: bool = True) -> None:
    """Add the options of the data set and its folder, in a group of their own."""
    # Imported here, so that the command line starts without it.
    from datasets.specs import DATASETS

    group = parser.add_argument_group("data")
    text = "data set" if required else "data set (default: as trained; to be given if the checkpoint does not say)"
    group.add_argument("--data", choices=tuple(DATASETS), required=required, help=text)
    group.add_argument("--root", required=True, help="its folder")


@dataclass
class Shared:
    """Options of several commands, which ``add_shared`` adds by name."""

    spatial_size: int | None = setting(
        None, "side of the network input (default: as trained; 224 if the checkpoint does not say)", SIDE
    )
    tta: bool = setting(False, "average over the image and its three mirror images; four times the work")
    threshold: float = setting(THRESHOLD, "foreground is where the probability is above it", SHARE)
    spacing_mm: tuple[float, float] | None = setting(
        None,
        "height,width of a pixel of every image, or one number for both (default: as DICOM headers say)",
        spacing,
        metavar="MM",
    )
    report: bool = setting(False, "write report.html: numbers, plots and every case")
    fixations: str | None = setting(None, "fixation table to show in the report", metavar="CSV")
    num_levels: int | None = setting(
        None, "whose thresholds are scored too (default: as many as the data set has)", POSITIVE_INT
    )
    workers: int = setting(-1, "processes; -1 for one a core", processes)
    overwrite: bool = setting(False, "replace files that are there, whoever wrote them")


def add_shared(group, *names: str) -> None:
    """Add some of the options that ``Shared`` declares."""
    add_settings(group, declared_settings(Shared), names)


def add_as_of_train(group, *names: str) -> None:
    """Add options that other commands share with ``train``."""
    # Imported here, as they import torch.
    from training.settings import Settings

    add_settings(group, declared_settings(Settings), names)


def add_loading(parser: Parser) -> None:
    """Add batch size, threads, loader processes and device, in a group of their own."""
    add_as_of_train(parser.add_argument_group("loading and device"), "batch_size", "threads", "num_worker", "device")


def add_checkpoints(parser: Parser) -> None:
    """Add the options of the checkpoints, their input size, and what is averaged."""
    # Imported here, as it imports torch.
    from models.multi_level import ENSEMBLES

    parser.add_argument(
        "--ckpt_path",
        required=True,
        **MULTIPLE_VALUES,
        metavar="FILE",
        help="checkpoint of this project or of the reference; several are averaged",
    )
    add_shared(parser, "spatial_size")
    parser.add_argument(
        "--ensemble",
        choices=tuple(ENSEMBLES),
        help="what the prediction averages over levels, checkpoints and flips (default: as trained; logits if the "
        "checkpoint does not say)",
    )
    add_shared(parser, "tta")
