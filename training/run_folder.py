"""Files of a run folder, and the options that its run began with."""

from pathlib import Path

from evaluation.per_case import PREDICTIONS_FOLDER
from evaluation.run_names import ARGS_FILE, BEST_FILE, LATEST_FILE, PREVIOUS_FILE
from evaluation.summary import SUMMARY_FILE
from utils.files import read_json, remove_files

PROFILE_FOLDER = "profile"
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
    """Content of ``args.json``: options and facts with which the run in a folder began; empty where there is none.

    Raises:
        ValueError: if they cannot be read.
    """
    return read_json(folder / ARGS_FILE, "the options of a run")


def remove_run(folder: Path) -> None:
    """Remove the files of an earlier run and nothing else, as the folder may have others."""
    # Its masks, which would be taken for those of the next run.
    masks = (f"{PREDICTIONS_FOLDER}/*.png",) if (folder / ARGS_FILE).is_file() else ()
    remove_files(folder, (*RUN_FILES, *masks))
