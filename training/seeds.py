"""Runs of several seeds, one after another, and the table over them."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from evaluation.experiments import FinishedRun, group_runs
from evaluation.summary import SUMMARY_FILE, read_summary
from reporting.tables import experiments_csv, experiments_table
from training.forecast import remaining_work
from training.rounds import check_and_clear_folders, resumed_settings
from training.settings import Settings
from utils.distributed import SINGLE, Group
from utils.files import remove_files, write_text

TABLE_FILE, NUMBERS_FILE = "seeds.md", "seeds.csv"


def train_seeds(settings: Settings, train_one: Callable[[Settings], int], group: Group = SINGLE) -> int:
    """Train one run a seed in ``<exp_path>/seed<N>``, each as the same command with ``--seed N`` would.

    Args:
        settings: with ``seeds``. With ``resume`` finished runs are skipped, interrupted ones continued,
            and the others begun, from ``ckpt_path`` if there is one; with ``overwrite`` all are replaced.
        train_one: trains one run; returns 0, or another exit code where it stopped early.

    Returns:
        0 with the table printed and written to ``seeds.md`` and ``seeds.csv``, or the code of the run that stopped.

    Raises:
        ValueError: before anything starts, as ``check_and_clear_folders``.
    """
    runs = {seed: settings_of_seed(settings, seed) for seed in settings.seeds}
    check_and_clear_folders(settings, list(runs.values()), group)
    if settings.overwrite and group.is_main:
        # The table of the runs that were removed.
        remove_files(settings.folder, (TABLE_FILE, NUMBERS_FILE))
    say = functools.partial(print, flush=True) if group.is_main else lambda _: None
    for number, (seed, one) in enumerate(runs.items(), start=1):
        done = settings.resume and (one.folder / SUMMARY_FILE).is_file()
        say(f"seed {seed} ({number} of {len(runs)}): {one.exp_path}{', finished before' if done else ''}")
        if not done and (code := train_one(one)):
            return code
    if group.is_main:
        _report(settings.folder, runs.values())
    return 0


def settings_of_seed(settings: Settings, seed: int) -> Settings:
    """The settings of one seed's run."""
    one = settings.replace(
        seed=seed,
        seeds=None,
        exp_path=str(settings.folder / f"seed{seed}"),
        work_after=remaining_work(settings) * (len(settings.seeds) - 1 - list(settings.seeds).index(seed)),
    )
    # With rounds, each round's settings are resumed instead.
    return resumed_settings(one) if one.ckpt_path and not one.makes_labels else one


def _report(folder: Path, runs: Iterable[Settings]) -> None:
    name = folder.absolute().name
    experiments = group_runs([FinishedRun(name, one.folder, read_summary(one.folder)) for one in runs])
    table = experiments_table(experiments)
    # These mark the folder as ours.
    write_text(folder / NUMBERS_FILE, experiments_csv(experiments))
    write_text(folder / TABLE_FILE, table)
    print(f"\n{table}\nin {folder / TABLE_FILE} and {folder / NUMBERS_FILE}")
