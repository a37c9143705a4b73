"""What lies in a run folder, and the options that its run began with."""

from collections.abc import Iterable
from pathlib import Path

from evaluation.per_case import PREDICTIONS_FOLDER
from evaluation.summary import SUMMARY_FILE
from utils.files import read_json

LATEST_FILE = "model_latest.pth"
BEST_FILE, ARGS_FILE = "model_best.pth", "args.json"
PREVIOUS_FILE, PROFILE_FOLDER = "model_previous.pth", "profile"
RUN_FILES = (
    ARGS_FILE,
    "train.log",
    "events.out.tfevents.*",
    LATEST_FILE,
    PREVIOUS_FILE,
    BEST_FILE,
    "model_ite*.pth",
    "per_case*.csv",
    SUMMARY_FILE,
    "examples.png",
    f"{PROFILE_FOLDER}/trace.json",
    f"{PROFILE_FOLDER}/operations.txt",
)


def first_options(folder: Path) -> dict:
    """The options, and what else ``args.json`` holds, that the run in a folder began with; empty where there is none.

    Raises:
        ValueError: if they cannot be read.
    """
    return read_json(folder / ARGS_FILE, "the options of a run")


def remove_run(folder: Path) -> None:
    """Remove the files of an earlier run and nothing else: the folder may be anybody's."""
    # Masks of a run, which others would take for those of the next one.
    masks = (f"{PREDICTIONS_FOLDER}/*.png",) if (folder / ARGS_FILE).is_file() else ()
    remove_files(folder, (*RUN_FILES, *masks))


def remove_files(folder: Path, patterns: Iterable[str]) -> None:
    """Remove the files of a folder that fit any of some patterns."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()
