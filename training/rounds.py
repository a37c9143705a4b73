"""Rounds: train, let the network label the training images together with their gaze, train again.

The last round is the run in the run folder, those before lie in ``round1``, ``round2``, ... inside it.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from pathlib import Path

import torch

from datasets import get_spec
from evaluation.summary import SUMMARY_FILE, read_summary
from losses.objectives import learns_from_gaze
from reporting.figures import write_rounds_figure
from training.checkpoints import has_checkpoint, remove_run
from training.data_options import complete
from training.forecast import work
from training.labels import LABELS_FILE, MAPS_FOLDER, make_labels, read_labels, said_of_quality
from training.run_folder import ARGS_FILE, LATEST_FILE
from utils.distributed import Group
from utils.files import write_text

TABLE_FILE, FIGURE_FILE = "rounds.md", "rounds.png"


def has_rounds(args: argparse.Namespace) -> bool:
    """Whether labels are made for this run, or it trains on the data set's own maps once."""
    return learns_from_gaze(args.mode) and (args.rounds > 1 or args.pseudo != "levels" or args.masks > 0)


def round_folders(args: argparse.Namespace) -> list[Path]:
    """The folders of all rounds, the run folder last."""
    folder = Path(args.exp_path)
    return [*(folder / f"round{number}" for number in range(1, args.rounds)), folder]


def train_rounds(
    args: argparse.Namespace, train_one: Callable[[argparse.Namespace], int], group: Group, device: torch.device
) -> int:
    """Train all rounds, going on with ``--resume`` where an earlier call stopped.

    Args:
        args: the command line of one seed.
        train_one: trains a run; 0, or another exit code where it stopped early.
        group: the processes; that of rank 0 makes the labels while the others wait.
        device: of the processes' own.

    Returns:
        0 with the table of the rounds written, or the code of the round that stopped.

    Raises:
        ValueError: if there are runs already and neither ``resume`` nor ``overwrite``; see also ``make_labels``.
    """
    args = complete(args, get_spec(args.data, args.root))
    folders = round_folders(args)
    _check_folders(args, folders)
    if args.overwrite and group.is_main:
        for folder in folders:
            remove_round(folder)
    group.barrier()
    say = (lambda text: print(text, flush=True)) if group.is_main else lambda text: None
    for number, folder in enumerate(folders, start=1):
        done = args.resume and (folder / SUMMARY_FILE).is_file()
        say(f"round {number} of {len(folders)}: {folder}{', finished before' if done else ''}")
        if done:
            continue
        if group.is_main and read_labels(folder) is None:
            previous = folders[number - 2] / LATEST_FILE if number > 1 else None
            make_labels(args_of_round(args, number), folder, previous, device, say)
        group.barrier()
        code = train_one(args_of_round(args, number))
        if code:
            say(f"stopped in round {number} of {len(folders)}; the same command with --resume goes on")
            return code
    if group.is_main:
        _write_table(folders)
    return 0


def args_of_round(args: argparse.Namespace, number: int) -> argparse.Namespace:
    """The command line of one round."""
    one, folder = copy.copy(args), round_folders(args)[number - 1]
    one.exp_path, one.map_folder, one.overwrite = str(folder), str(folder / MAPS_FOLDER), False
    one.resume = args.resume and has_checkpoint(folder)
    one.is_last_round = number == args.rounds
    one.work_after += work(args, after=number)
    if not one.is_last_round:
        one.max_ite = args.round_ite or args.max_ite
        one.spatial_size = args.round_size or args.spatial_size
        one.save_pred = False
    # Of the network's own labels there are none in the first round but the masks.
    one.skip_missing_gaze = args.skip_missing_gaze or (args.pseudo == "network" and number == 1)
    return one


def remove_round(folder: Path) -> None:
    """Remove the files of a round, and nothing else."""
    remove_run(folder)
    if not (folder / LABELS_FILE).is_file():
        return
    for pattern in (f"{MAPS_FOLDER}/*.png", TABLE_FILE, FIGURE_FILE, LABELS_FILE):
        for path in folder.glob(pattern):
            path.unlink()


def _check_folders(args: argparse.Namespace, folders: list[Path]) -> None:
    earlier = [folder for folder in folders if (folder / ARGS_FILE).exists() or (folder / LABELS_FILE).exists()]
    if earlier and not (args.resume or args.overwrite):
        raise ValueError(
            f"{', '.join(map(str, earlier))}: expected new run folders (--exp_path), found earlier rounds; add "
            "--resume to continue them or --overwrite to replace them"
        )
    for folder in folders:
        labels = read_labels(folder)
        if any(folder.glob(f"{MAPS_FOLDER}/*.png")) and not (folder / LABELS_FILE).is_file():
            raise ValueError(
                f"{folder / MAPS_FOLDER}: expected no images, or those of a round, found others; "
                "choose another --exp_path"
            )
        if not (args.resume and labels):
            continue
        before = {"policy": labels["policy"], "num_masks": len(labels["masks"])}
        if before != {"policy": args.pseudo, "num_masks": args.masks}:
            raise ValueError(
                f"{folder / LABELS_FILE}: expected labels as asked for, --pseudo {args.pseudo} --masks {args.masks}, "
                f"found {json.dumps(before)}; give the same options, or --overwrite"
            )


def _write_table(folders: list[Path]) -> None:
    lines = ["| round | labels | iterations | seconds |", "|---|---|---|---|"]
    for number, folder in enumerate(folders, start=1):
        labels, summary = read_labels(folder) or {}, read_summary(folder)
        quality = said_of_quality(labels.get("quality"))
        iterations = summary["recipe"]["max_ite"]
        lines.append(f"| {number} | {labels.get('policy')}: {quality} | {iterations} | {summary['seconds']:.0f} |")
    table = "\n".join(lines) + "\n"
    write_text(folders[-1] / TABLE_FILE, table)
    qualities = [(read_labels(folder) or {}).get("quality") for folder in folders]
    if all(qualities):
        write_rounds_figure(folders[-1] / FIGURE_FILE, qualities)
    print(f"\n{table}\nin {folders[-1] / TABLE_FILE}", flush=True)
