"""``run.py train``: train, and evaluate once at the end; with ``--test``, ``evaluate``."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from commands.options import Parser
from commands.outputs import Folder, Output
from datasets import get_spec
from evaluation.per_case import PREDICTIONS_FOLDER
from evaluation.run_names import ARGS_FILE, BEST_FILE, LATEST_FILE, PREVIOUS_FILE
from evaluation.summary import SUMMARY_FILE
from inference.scoring import EXAMPLES_FILE
from reporting.tables import CSV_COLUMNS
from training.checkpoints import has_checkpoint
from training.data_options import complete
from training.fit import fit
from training.labels import MAPS_FOLDER
from training.recipes import described
from training.rounds import round_folders
from training.run_folder import PROFILE_FOLDER
from training.seeds import NUMBERS_FILE, TABLE_FILE, settings_of_seed
from training.settings import TOPICS, Levels, Model, Running, Settings, declared_by_choices
from utils.settings import add_settings, declared_settings


def add_options(parser: Parser) -> None:
    parser.usage = f"{parser.prog} --data NAME --root FOLDER [options]"
    for topic in TOPICS:
        group = parser.add_argument_group(topic.__doc__)
        add_settings(group, declared_settings(topic))
        if topic is Running:
            group.add_argument("--test", action="store_true", help="evaluate --ckpt_path instead of training")
        if topic is Model:
            # A setting that an objective declares, too, is an option of the objective.
            names = [name for name in declared_by_choices("model") if name not in declared_by_choices("mode")]
            group = parser.add_argument_group("network (--model)")
            add_settings(group, declared_by_choices("model"), names, checked=False)
        if topic is Levels:
            add_settings(parser.add_argument_group("objective (-m)"), declared_by_choices("mode"), checked=False)
    parser.epilog = f"recipes: {described()}"


def parse(parser: Parser, argv: Sequence[str]) -> Settings | argparse.Namespace:
    """Parse the command line of ``train``: its Settings, or with ``--test`` the options of ``evaluate``."""
    unset = object()
    blank = argparse.Namespace(**{action.dest: unset for action in parser._actions if action.dest != "help"})
    given = {name: value for name, value in vars(parser.parse_args(argv, blank)).items() if value is not unset}
    if (path := given.get("ckpt_path")) and Path(path).is_dir():
        given["ckpt_path"] = str(Path(path) / LATEST_FILE)
    if given.pop("test", False):
        return _evaluation(parser, given)
    try:
        return Settings.of(**given)
    except ValueError as error:
        parser.error(str(error))


def _evaluation(parser: Parser, given: dict) -> argparse.Namespace:
    """The options of ``evaluate``: those given here, else its defaults, which mean as trained."""
    if given.get("seeds"):
        parser.error("--seeds: expected without --test, found both; evaluate one checkpoint at a time")
    if not given.get("ckpt_path"):
        parser.error("--test: expected --ckpt_path, the checkpoint to evaluate, found none")
    # Imported here, as training starts without it.
    from inference.evaluate import EvaluationSettings

    # Scripts give the fixation table, which evaluate takes for a report alone.
    own = {"ckpt_path": [given["ckpt_path"]], "fixations": None}
    known = {key: value for key, value in given.items() if key in EvaluationSettings.__dataclass_fields__}
    return argparse.Namespace(command="evaluate", **asdict(EvaluationSettings(**known | own)))


def outputs(settings: Settings) -> list[Output]:
    """The run folder, or with seeds those of all runs and the one that they are in."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK") != "0":
        return []
    settings = complete(settings, get_spec(settings.data, settings.root))
    runs = [settings_of_seed(settings, seed) for seed in settings.seeds] if settings.seeds else [settings]
    names = (SUMMARY_FILE, "per_case*.csv", EXAMPLES_FILE)
    names += (f"{PREDICTIONS_FOLDER}/*",) * settings.save_pred + (f"{PROFILE_FOLDER}/*",) * bool(settings.profile)
    # Weights to start from are not to be overwritten.
    names += (LATEST_FILE, PREVIOUS_FILE, BEST_FILE) if settings.overwrite else ()
    form = {"ours": '"exp_path": ', "sign": ARGS_FILE, "inside": (PREDICTIONS_FOLDER, PROFILE_FOLDER, MAPS_FOLDER)}
    over = {"ours": f"^{','.join(CSV_COLUMNS)}", "names": (TABLE_FILE, NUMBERS_FILE), "sign": NUMBERS_FILE}
    return [
        *([Folder("--exp_path", settings.folder, **over)] if settings.seeds else []),
        # An existing run is checked before it is resumed.
        *(
            Folder("--exp_path", path, names=() if settings.resume and has_checkpoint(path) else names, **form)
            for one in runs
            for path in (round_folders(one) if one.makes_labels else [one.folder])
        ),
    ]


def main(settings: Settings) -> int:
    """Train; 0, or 130 if stopped before the end."""
    return fit(settings)
