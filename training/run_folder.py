"""What lies in a run folder, and the options that its run began with."""

from pathlib import Path

from utils.files import read_json

LATEST_FILE = "model_latest.pth"
BEST_FILE, ARGS_FILE = "model_best.pth", "args.json"
PREVIOUS_FILE, PROFILE_FOLDER = "model_previous.pth", "profile"
RUN_FILES = (
    "args.json",
    "train.log",
    "events.out.tfevents.*",
    LATEST_FILE,
    PREVIOUS_FILE,
    BEST_FILE,
    "model_ite*.pth",
    "per_case*.csv",
    "summary.json",
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
