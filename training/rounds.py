"""Rounds: train, let the network label the training images together with their gaze, train again.

The last round is the run in the run folder, those before lie in ``round1``, ``round2``, ... inside it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from datasets import get_spec
from datasets.gaze.map_files import LABELS_FILE, read_labels
from evaluation.summary import SUMMARY_FILE, read_summary
from models.registry import load_weights
from reporting.figures import write_rounds_figure
from reporting.markdown import table
from training.build import build_network
from training.checkpoints import (
    check_no_earlier,
    check_same_options_as_before,
    has_checkpoint,
    remove_run,
    weights_to_start_from,
)
from training.forecast import work
from training.labels import MAPS_FOLDER, check_sources, describe_quality, gaze_sha256, make_labels, masks_drawn
from training.run_folder import LATEST_FILE
from training.settings import Settings
from utils.distributed import Group
from utils.files import write_text

TABLE_FILE, FIGURE_FILE = "rounds.md", "rounds.png"


def round_folders(settings: Settings) -> list[Path]:
    """The folders of all rounds, the run folder last."""
    folder = Path(settings.exp_path)
    return [*(folder / f"round{number}" for number in range(1, settings.rounds)), folder]


def train_rounds(settings: Settings, train_one: Callable[[Settings], int], group: Group, device: torch.device) -> int:
    """Train all rounds, going on with ``--resume`` where an earlier call stopped.

    Args:
        settings: of one seed.
        train_one: trains a run; 0, or another exit code where it stopped early.
        group: the processes; that of rank 0 makes the labels while the others wait.
        device: of the processes' own.

    Returns:
        0 with the table of the rounds written, or the code of the round that stopped.

    Raises:
        ValueError: if there are runs already and neither ``resume`` nor ``overwrite``, or rounds of other options, or
            the network cannot be built; see also ``make_labels``.
    """
    folders = round_folders(settings)
    _check_folders(settings, folders)
    if settings.resume:
        for number in range(1, len(folders) + 1):
            check_same_options_as_before(settings_of_round(settings, number), settings.ckpt_path)
    check_can_begin(settings, folders)
    if settings.overwrite:
        # All processes have looked before one writes.
        group.barrier()
        if group.is_main:
            remove_rounds(settings)
    group.barrier()
    say = (lambda text: print(text, flush=True)) if group.is_main else lambda text: None
    for number, folder in enumerate(folders, start=1):
        done = settings.resume and (folder / SUMMARY_FILE).is_file()
        say(f"round {number} of {len(folders)}: {folder}{', finished before' if done else ''}")
        if done:
            continue
        if group.is_main and read_labels(folder) is None:
            previous = folders[number - 2] / LATEST_FILE if number > 1 else None
            make_labels(settings_of_round(settings, number), folder, previous, device, say)
        group.barrier()
        if code := train_one(settings_of_round(settings, number)):
            return code
    if group.is_main:
        _write_table(folders)
    return 0


def settings_of_round(settings: Settings, number: int) -> Settings:
    """The settings of one round."""
    folder, is_last = round_folders(settings)[number - 1], number == settings.rounds
    begun = settings.resume and has_checkpoint(folder)
    one = settings.replace(
        exp_path=str(folder),
        map_folder=str(folder / MAPS_FOLDER),
        # One that was stopped before its first checkpoint is trained anew.
        overwrite=settings.resume and not begun,
        resume=begun,
        ckpt_path=None if begun else settings.ckpt_path,
        is_last_round=is_last,
        work_after=settings.work_after + work(settings, after=number),
        # Of the network's own labels there are none in the first round but the masks.
        skip_missing_gaze=settings.skip_missing_gaze or (settings.pseudo == "network" and number == 1),
    )
    if is_last:
        return one
    return one.replace(
        max_ite=settings.round_ite or settings.max_ite,
        spatial_size=settings.round_size or settings.spatial_size,
        save_pred=False,
    )


def check_can_begin(settings: Settings, folders: Sequence[Path]) -> None:
    """Raise what would end a training as it begins, before labels take minutes and before earlier runs go.

    Args:
        settings: of one seed.
        folders: of all runs that go with ``overwrite``.
    """
    check_sources(settings)
    smallest = min(settings.spatial_size, settings_of_round(settings, 1).spatial_size)
    network = build_network(settings.replace(spatial_size=smallest), torch.device("cpu"), settings.batch_size)
    checkpoint = weights_to_start_from(settings, folders)
    if checkpoint:
        load_weights(network, checkpoint["state_dict"])


def remove_rounds(settings: Settings) -> None:
    """Remove the files of the run at ``settings.exp_path`` and of its rounds, however many an earlier one had."""
    earlier = (path.parent for path in Path(settings.exp_path).glob(f"round[0-9]*/{LABELS_FILE}"))
    for folder in dict.fromkeys((*round_folders(settings), *earlier)):
        _remove_round(folder)


def _remove_round(folder: Path) -> None:
    """Remove the files of a round, and nothing else."""
    remove_run(folder)
    if not (folder / LABELS_FILE).is_file():
        return
    for pattern in (f"{MAPS_FOLDER}/*.png", TABLE_FILE, FIGURE_FILE, LABELS_FILE):
        for path in folder.glob(pattern):
            path.unlink()


def _check_folders(settings: Settings, folders: list[Path]) -> None:
    check_no_earlier(settings, folders)
    for folder in folders:
        if any(folder.glob(f"{MAPS_FOLDER}/*.png")) and not (folder / LABELS_FILE).is_file():
            raise ValueError(
                f"{folder / MAPS_FOLDER}: expected no images, or those of a round, found others; "
                "choose another --exp_path"
            )
    if settings.resume:
        check_same_labels(settings)


def check_same_labels(settings: Settings) -> None:
    """Raise ValueError if the rounds that are there have labels of another policy, of other masks, or of other gaze."""
    drawn = sorted(masks_drawn(settings, get_spec(settings.data, settings.root)))
    asked = {"policy": settings.pseudo, "masks": drawn, "fixations_sha256": gaze_sha256(settings)}
    for folder in round_folders(settings):
        labels = read_labels(folder)
        if labels is None:
            continue
        # Earlier ones do not say of which gaze they are.
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
        said = f"{labels.get('policy')}: {describe_quality(qualities[-1])}"
        rows.append((str(number), said, str(summary["recipe"]["max_ite"]), f"{summary['seconds']:.0f}"))
    text = table(("round", "labels", "iterations", "seconds"), rows) + "\n"
    write_text(folders[-1] / TABLE_FILE, text)
    if all(qualities):
        write_rounds_figure(folders[-1] / FIGURE_FILE, qualities)
    print(f"\n{text}\nin {folders[-1] / TABLE_FILE}", flush=True)
