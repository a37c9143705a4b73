"""Self-training in rounds: train, let the network label the training images together with their gaze, train again.

The last round is the run in the run folder, those before lie in ``round1``, ``round2``, ... inside it.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from datasets.gaze.map_files import LABELS_FILE, read_labels
from evaluation.run_names import LATEST_FILE
from evaluation.summary import SUMMARY_FILE, read_summary
from models.registry import load_weights
from reporting.figures import write_rounds_figure
from reporting.markdown import table
from training.build import build_network
from training.checkpoints import check_no_earlier, check_same_options_as_before, has_checkpoint, weights_to_start_from
from training.forecast import remaining_work
from training.labels import MAPS_FOLDER, check_sources, describe_quality, labels_asked_for, make_labels
from training.run_folder import remove_run
from training.settings import Settings
from utils.distributed import Group
from utils.files import remove_files, write_text

TABLE_FILE, FIGURE_FILE = "rounds.md", "rounds.png"


def round_folders(settings: Settings) -> list[Path]:
    """The folders of all rounds, the run folder last."""
    return [*(settings.folder / f"round{number}" for number in range(1, settings.rounds)), settings.folder]


def check_and_clear_folders(settings: Settings, runs: Sequence[Settings], group: Group) -> None:
    """Check the folders of several runs before the first begins, and with ``overwrite`` clear them.

    Args:
        settings: common ones.
        runs: those of each seed, which may have rounds.

    Raises:
        ValueError: if there are runs already and neither ``resume`` nor ``overwrite``, or runs to resume that have
            other options, other labels or other start weights; and as ``check_can_begin``.
    """
    folders = [folder for one in runs for folder in round_folders(one)]
    check_no_earlier(settings, folders)
    for one in runs:
        parts = [one]
        if settings.makes_labels:
            check_same_labels(one)
            parts = [settings_of_round(one, number) for number in range(1, settings.rounds + 1)]
        for part in parts if settings.resume else ():
            check_same_options_as_before(part, settings.ckpt_path)
    if settings.overwrite or settings.makes_labels:
        check_can_begin(runs[0], folders)
    # All processes have read before one writes.
    group.barrier()
    if settings.overwrite and group.is_main:
        # All at once: a later --resume would take remaining ones for its own.
        for one in runs:
            remove_rounds(one)
    group.barrier()


def train_rounds(settings: Settings, train_one: Callable[[Settings], int], group: Group, device: torch.device) -> int:
    """Train all rounds, after ``check_and_clear_folders``; ``resume`` continues where an earlier call stopped.

    Args:
        settings: of one seed.
        train_one: trains a run; 0, or another exit code where it stopped early.
        group: the processes; that of rank 0 makes the labels while the others wait.

    Returns:
        0 with the table of the rounds written, or the code of the round that stopped; errors as of ``make_labels``.
    """
    folders = round_folders(settings)
    say = functools.partial(print, flush=True) if group.is_main else lambda _: None
    for number, folder in enumerate(folders, start=1):
        done = settings.resume and (folder / SUMMARY_FILE).is_file()
        say(f"round {number} of {len(folders)}: {folder}{', finished before' if done else ''}")
        if done:
            continue
        one = settings_of_round(settings, number)
        if group.is_main and read_labels(folder) is None:
            previous = folders[number - 2] / LATEST_FILE if number > 1 else None
            make_labels(one, previous, device, say)
        group.barrier()
        if code := train_one(one):
            return code
    if group.is_main:
        _write_table(folders)
    return 0


def settings_of_round(settings: Settings, number: int) -> Settings:
    """The settings of one round."""
    folder, is_last = round_folders(settings)[number - 1], number == settings.rounds
    early = {
        "max_ite": settings.round_ite or settings.max_ite,
        "spatial_size": settings.round_size or settings.spatial_size,
        "save_pred": False,
    }
    one = settings.replace(
        exp_path=str(folder),
        map_folder=str(folder / MAPS_FOLDER),
        is_last_round=is_last,
        work_after=settings.work_after + remaining_work(settings, after=number),
        # With --pseudo network, the first round has no labels but the masks.
        skip_missing_gaze=settings.skip_missing_gaze or (settings.pseudo == "network" and number == 1),
        **({} if is_last else early),
    )
    return resumed_settings(one)


def resumed_settings(one: Settings) -> Settings:
    """Settings with which ``resume`` continues one of several runs: from its own checkpoint, never from ``ckpt_path``;
    or anew, where it has none yet."""
    if not one.resume:
        return one
    begun = has_checkpoint(one.folder)
    return one.replace(resume=begun, overwrite=not begun, ckpt_path=None if begun else one.ckpt_path)


def check_can_begin(settings: Settings, folders: Sequence[Path]) -> None:
    """Raise the errors of a training's start early: before labels take minutes, and before the earlier runs in
    ``folders`` are removed."""
    check_sources(settings)
    smallest = min(settings.spatial_size, settings_of_round(settings, 1).spatial_size)
    network = build_network(settings.replace(spatial_size=smallest), torch.device("cpu"), settings.batch_size)
    checkpoint = weights_to_start_from(settings, folders)
    if checkpoint:
        load_weights(network, checkpoint["state_dict"])


def remove_rounds(settings: Settings) -> None:
    """Remove the files of the run at ``settings.exp_path`` and of all its rounds."""
    earlier = (path.parent for path in settings.folder.glob(f"round[0-9]*/{LABELS_FILE}"))
    for folder in dict.fromkeys((*round_folders(settings), *earlier)):
        remove_run(folder)
        if (folder / LABELS_FILE).is_file():
            remove_files(folder, (f"{MAPS_FOLDER}/*.png", TABLE_FILE, FIGURE_FILE, LABELS_FILE))


def check_same_labels(settings: Settings) -> None:
    """Raise ValueError if there are maps that are not ours, or with ``resume`` rounds whose labels have another policy,
    other masks, or other gaze."""
    asked = labels_asked_for(settings) if settings.resume else {}
    for folder in round_folders(settings):
        if any(folder.glob(f"{MAPS_FOLDER}/*.png")) and not (folder / LABELS_FILE).is_file():
            raise ValueError(
                f"{folder / MAPS_FOLDER}: expected no images, or those of a round, found others; "
                "choose another --exp_path"
            )
        labels = read_labels(folder) if settings.resume else None
        if labels is None:
            continue
        # Earlier labels lack the hash of their gaze.
        before = asked | {key: labels[key] for key in asked if key in labels}
        before["masks"] = sorted(before["masks"])
        if before != asked:
            raise ValueError(
                f"{folder / LABELS_FILE}: expected labels as asked for, --pseudo {settings.pseudo} --masks "
                f"{settings.masks} and the same --fixations, found --pseudo {before['policy']} --masks "
                f"{len(before['masks'])}, others in {', '.join(key for key in asked if before[key] != asked[key])}; "
                "give the same options, masks/ and split files, or --overwrite"
            )


def _write_table(folders: list[Path]) -> None:
    rows, qualities = [], []
    for number, folder in enumerate(folders, start=1):
        labels, summary = read_labels(folder) or {}, read_summary(folder)
        qualities.append(labels.get("quality"))
        quality = f"{labels.get('policy')}: {describe_quality(qualities[-1])}"
        rows.append((str(number), quality, str(summary["recipe"]["max_ite"]), f"{summary['seconds']:.0f}"))
    text = table(("round", "labels", "iterations", "seconds"), rows) + "\n"
    write_text(folders[-1] / TABLE_FILE, text)
    if all(qualities):
        write_rounds_figure(folders[-1] / FIGURE_FILE, qualities)
    print(f"\n{text}\nin {folders[-1] / TABLE_FILE}", flush=True)
