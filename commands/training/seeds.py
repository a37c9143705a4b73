"""One run a seed, one after another, and the table over them."""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from commands.data_options import complete
from commands.training.build import build_data
from commands.training.checkpoints import check_same_options, remove_run
from commands.training.run import ARGS_FILE, LATEST_FILE
from datasets import get_spec
from utils.devices import pick_device
from utils.experiments import FinishedRun, group_runs
from utils.files import write_text
from utils.reporting import SUMMARY_FILE, read_summary
from utils.tables import experiments_csv, experiments_table

TABLE_FILE, NUMBERS_FILE = "seeds.md", "seeds.csv"


def train_seeds(args: argparse.Namespace, train_one: Callable[[argparse.Namespace], int]) -> int:
    """Train one run a seed in ``<exp_path>/seed<N>``, each as the same command with ``--seed N`` would.

    Args:
        args: the command line, with ``seeds``. With ``resume`` finished runs are skipped and interrupted ones
            continued; with ``overwrite`` all are replaced.
        train_one: trains one run; returns 0, or another exit code where it stopped early.

    Returns:
        0 with the table printed and written to ``seeds.md`` and ``seeds.csv``, or the code of the run that stopped.

    Raises:
        ValueError: before anything starts, if there is an earlier run and neither ``resume`` nor ``overwrite``, or one
            with other options to resume.
    """
    args = complete(args, get_spec(args.data, args.root))
    runs = {seed: args_of_seed(args, seed) for seed in args.seeds}
    _check_folders(args, runs)
    if args.overwrite:
        _remove_all(runs.values())
    for number, (seed, one) in enumerate(runs.items(), start=1):
        # With --overwrite there is none left; without either option there was none.
        finished = (Path(one.exp_path) / SUMMARY_FILE).is_file()
        print(f"seed {seed} ({number} of {len(runs)}): {one.exp_path}{', finished before' * finished}", flush=True)
        code = 0 if finished else _train_or_say_how_to_go_on(one, args, train_one)
        if code:
            return code
    _report(Path(args.exp_path), runs.values())
    return 0


def args_of_seed(args: argparse.Namespace, seed: int) -> argparse.Namespace:
    """The command line of one run. Without a checkpoint there is nothing to resume: such a run starts anew."""
    one = copy.copy(args)
    folder = Path(args.exp_path) / f"seed{seed}"
    one.seed, one.seeds, one.exp_path = seed, None, str(folder)
    if args.resume and not (folder / LATEST_FILE).is_file():
        one.resume, one.overwrite = False, True
    return one


def _check_folders(args: argparse.Namespace, runs: Mapping[int, argparse.Namespace]) -> None:
    files = (ARGS_FILE, LATEST_FILE, SUMMARY_FILE)
    folders = [Path(one.exp_path) for one in runs.values()]
    earlier = [folder for folder in folders if any((folder / file).exists() for file in files)]
    if earlier and not (args.resume or args.overwrite):
        raise ValueError(
            f"{', '.join(map(str, earlier))}: expected new run folders (--exp_path), found earlier runs; add --resume "
            "to continue them or --overwrite to replace them"
        )
    if args.resume:
        for one in runs.values():
            _check_same_options_as_before(one)


def _check_same_options_as_before(one: argparse.Namespace) -> None:
    path = Path(one.exp_path) / ARGS_FILE
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: expected the options of a run, found something else ({error})") from error
        check_same_options(one, before, path)
    elif (path.parent / SUMMARY_FILE).is_file():
        raise ValueError(
            f"{path}: expected the options of the finished run beside its {SUMMARY_FILE}, found none; remove that "
            "folder, or choose another --exp_path"
        )


def _remove_all(runs: Iterable[argparse.Namespace]) -> None:
    """Remove all earlier runs at once: of those left, a later --resume would take the finished ones for new.

    What would stop the first run shows before.
    """
    runs = list(runs)
    pick_device(runs[0].device)
    build_data(runs[0])
    for one in runs:
        remove_run(Path(one.exp_path))


def _train_or_say_how_to_go_on(one: argparse.Namespace, args: argparse.Namespace, train_one) -> int:
    instead = " in place of --overwrite" if args.overwrite else ""
    seeds = ", ".join(map(str, args.seeds))
    sentence = f"stopped in seed {one.seed} of {seeds}; the same command with --resume{instead} goes on with the rest"
    try:
        code = train_one(one)
    except KeyboardInterrupt:
        # Pressed while data are read or results scored.
        print(sentence, flush=True)
        raise
    if code:
        print(sentence, flush=True)
    return code


def _report(folder: Path, runs: Iterable[argparse.Namespace]) -> None:
    name = folder.absolute().name
    finished = [FinishedRun(name, Path(one.exp_path), read_summary(one.exp_path)) for one in runs]
    experiments = group_runs(finished)
    table = experiments_table(experiments)
    write_text(folder / TABLE_FILE, table)
    write_text(folder / NUMBERS_FILE, experiments_csv(experiments))
    print(f"\n{table}\nin {folder / TABLE_FILE} and {folder / NUMBERS_FILE}")
