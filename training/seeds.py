"""One run a seed, one after another, and the table over them."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from evaluation.experiments import FinishedRun, group_runs
from evaluation.summary import SUMMARY_FILE, read_summary
from reporting.tables import experiments_csv, experiments_table
from training.checkpoints import check_no_earlier, check_same_options_as_before, has_checkpoint
from training.forecast import work
from training.rounds import check_can_begin, remove_rounds, round_folders
from training.settings import Settings
from utils.distributed import SINGLE, Group
from utils.files import write_text

TABLE_FILE, NUMBERS_FILE = "seeds.md", "seeds.csv"


def train_seeds(settings: Settings, train_one: Callable[[Settings], int], group: Group = SINGLE) -> int:
    """Train one run a seed in ``<exp_path>/seed<N>``, each as the same command with ``--seed N`` would.

    Args:
        settings: with ``seeds``. With ``resume`` finished runs are skipped, interrupted ones continued,
            and the others begun, from ``ckpt_path`` if there is one; with ``overwrite`` all are replaced.
        train_one: trains one run; returns 0, or another exit code where it stopped early.
        group: the processes, which all call this; that of rank 0 writes and talks.

    Returns:
        0 with the table printed and written to ``seeds.md`` and ``seeds.csv``, or the code of the run that stopped.

    Raises:
        ValueError: before anything starts, if there is an earlier run and neither ``resume`` nor ``overwrite``, one
            with other options to resume, or weights to start from that are none or that ``overwrite`` would remove.
    """
    runs = {seed: settings_of_seed(settings, seed) for seed in settings.seeds}
    folders = [folder for one in runs.values() for folder in round_folders(one)]
    check_no_earlier(settings, folders)
    for one in runs.values() if settings.resume else ():
        check_same_options_as_before(one, settings.ckpt_path)
    finished = {seed for seed, one in runs.items() if settings.resume and (Path(one.exp_path) / SUMMARY_FILE).is_file()}
    if settings.overwrite:
        check_can_begin(next(iter(runs.values())), folders)
    # All processes have looked before one writes.
    group.barrier()
    if settings.overwrite and group.is_main:
        # All at once, once the data are known to be fit: a later --resume would take those left for new ones.
        for one in runs.values():
            remove_rounds(one)
        # A table of runs that are no more.
        for file in (TABLE_FILE, NUMBERS_FILE):
            (Path(settings.exp_path) / file).unlink(missing_ok=True)
    say = functools.partial(print, flush=True) if group.is_main else lambda _: None
    for number, (seed, one) in enumerate(runs.items(), start=1):
        before = ", finished before" if seed in finished else ""
        say(f"seed {seed} ({number} of {len(runs)}): {one.exp_path}{before}")
        if not before and (code := train_one(one)):
            return code
    if group.is_main:
        _report(Path(settings.exp_path), runs.values())
    return 0


def settings_of_seed(settings: Settings, seed: int) -> Settings:
    """The settings of one run."""
    one = settings.replace(
        seed=seed,
        seeds=None,
        exp_path=str(Path(settings.exp_path) / f"seed{seed}"),
        work_after=work(settings) * (len(settings.seeds) - 1 - list(settings.seeds).index(seed)),
    )
    # Rounds look at the folder of each.
    if one.makes_labels or not (settings.resume and settings.ckpt_path):
        return one
    # Not the checkpoint to go on from: one that has none of its own yet begins with these weights.
    begun = has_checkpoint(Path(one.exp_path))
    return one.replace(resume=begun, overwrite=not begun, ckpt_path=None if begun else settings.ckpt_path)


def _report(folder: Path, runs: Iterable[Settings]) -> None:
    name = folder.absolute().name
    finished = [FinishedRun(name, Path(one.exp_path), read_summary(one.exp_path)) for one in runs]
    experiments = group_runs(finished)
    table = experiments_table(experiments)
    # By these a folder is known as ours.
    write_text(folder / NUMBERS_FILE, experiments_csv(experiments))
    write_text(folder / TABLE_FILE, table)
    print(f"\n{table}\nin {folder / TABLE_FILE} and {folder / NUMBERS_FILE}")
