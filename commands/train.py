"""``run.py train``: train, and evaluate once at the end."""

from __future__ import annotations

import os
from pathlib import Path

from commands.options.training import add_train, parse_training
from commands.outputs import Folder, Output
from datasets import get_spec
from evaluation.per_case import PREDICTIONS_FOLDER
from evaluation.summary import SUMMARY_FILE
from inference.scoring import EXAMPLES_FILE
from reporting.tables import CSV_COLUMNS
from training.checkpoints import has_checkpoint
from training.data_options import complete
from training.fit import fit
from training.labels import MAPS_FOLDER
from training.rounds import round_folders
from training.run_folder import ARGS_FILE, BEST_FILE, LATEST_FILE, PREVIOUS_FILE, PROFILE_FOLDER
from training.seeds import NUMBERS_FILE, TABLE_FILE, settings_of_seed
from training.settings import Settings

add_options, parse = add_train, parse_training


def outputs(settings: Settings) -> list[Output]:
    """What is written: the run folder, or with seeds those of all runs and the one that they are in."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK") != "0":
        return []
    settings = complete(settings, get_spec(settings.data, settings.root))
    runs = [settings_of_seed(settings, seed) for seed in settings.seeds] if settings.seeds else [settings]
    names = (SUMMARY_FILE, "per_case*.csv", EXAMPLES_FILE)
    names += (f"{PREDICTIONS_FOLDER}/*",) * settings.save_pred + (f"{PROFILE_FOLDER}/*",) * bool(settings.profile)
    # Weights to start from are not to be overwritten.
    names += (LATEST_FILE, PREVIOUS_FILE, BEST_FILE) if settings.overwrite else ()
    form = {"ours": '"exp_path": ', "sign": ARGS_FILE, "inside": (PREDICTIONS_FOLDER, PROFILE_FOLDER, MAPS_FOLDER)}
    over = {"ours": f"^{','.join(CSV_COLUMNS[:4])}", "names": (TABLE_FILE, NUMBERS_FILE), "sign": NUMBERS_FILE}
    return [
        *([Folder("--exp_path", Path(settings.exp_path), **over)] if settings.seeds else []),
        # What is there already is looked at before it is resumed.
        *(
            Folder("--exp_path", path, names=() if settings.resume and has_checkpoint(path) else names, **form)
            for one in runs
            for path in (round_folders(one) if one.makes_labels else [Path(one.exp_path)])
        ),
    ]


def main(settings: Settings) -> int:
    """Train; 0, or 130 if stopped before the end."""
    return fit(settings)
