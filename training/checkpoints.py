"""Checkpoints of a run: their content, checks before resuming, and restoring."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from datasets.gaze.map_files import LABELS_FILE
from datasets.remembered import check_settings, hash_ids, remembered_settings
from datasets.splits import train_list_sha256
from evaluation.run_names import ARGS_FILE, BEST_FILE, LATEST_FILE, PREVIOUS_FILE
from evaluation.summary import SUMMARY_FILE, TRAIN_LIST
from losses import OBJECTIVES
from models.checkpoint import load_checkpoint, load_latest, save_checkpoint
from models.checkpoint_schema import CHECKPOINT, number, shown
from models.registry import MODELS, load_weights
from training.build import network_settings
from training.run import Data, Run
from training.run_folder import first_options
from training.seeding import random_states, restore_random_states
from training.settings import Further, Levels, Model, Recipe, Rounds, Settings, declared_by
from utils.distributed import Group
from utils.inputs import sha256_of
from utils.settings import declared_settings

# Settings of these topics that are no part of the recipe: paths of the gaze; the images are compared apart.
NOT_OF_RECIPE = ("fixations", "map_folder", "skip_missing_gaze")
# The recipe: settings that a resumed run must share, besides those that its objective and network declare.
RECIPE_KEYS = (
    *("mode", "data", "encoder_input", "batch_size", "val_fraction", "fp16", "amp", "seed"),
    *(key for key in declared_settings(Model, Levels, Rounds, Recipe, Further) if key not in NOT_OF_RECIPE),
)
# Values of runs from before there was the option; of what a network or objective declares, its default.
EARLIER_RECIPE = {"antialias": False}
# Fields of TrainState, under "state".
STATE_KEYS = tuple(CHECKPOINT["state"])
# Entries of a checkpoint that resuming needs.
RESUME_KEYS = (
    *("iteration", "best_performance", "best_iteration", "selected_on", "selection_ids"),
    *("optimizer", "scaler", "amp", "state", "random"),
)
# Key of the hash of the weights that a run began with, in its options.
START_SHA256 = "start_sha256"
MEAN_KEYS = ("trained", "averaged")
MOMENTS_OF_SGD, MOMENTS_OF_ADAM = {"momentum_buffer"}, {"step", "exp_avg", "exp_avg_sq"}


def recipe_of(settings: Settings) -> dict:
    """The recipe of a run, as JSON gives it back: the common settings, and those that its objective and network
    declare."""
    values = settings.flat()
    return {key: plain(values[key]) for key in (*RECIPE_KEYS, *declared_by(settings))}


def save(run: Run, file: str) -> None:
    """Save a checkpoint: the entries of the released ones, and what resuming and predicting need besides.

    Rank 0 writes it; the latest one of an earlier iteration is kept as the previous one.
    """
    settings, state, train_set = run.settings, run.state, run.data.train
    if not run.group.is_main:
        return
    network = network_settings(settings)
    for key in MODELS[settings.model].pretrained_settings:
        # Only the name of a file, as its folder is private.
        network[key] = network[key] and Path(network[key]).name
    config = {
        "model": network,
        "data": settings.data,
        **remembered_settings(train_set.spec),
        "level_thresholds": list(train_set.thresholds or ()),
        "train_ids": hash_ids(train_set.names),
        **settings.subset(("spatial_size", "antialias", "val_fraction", "seed")),
    }
    content = {
        "state_dict": run.network.state_dict(),
        "opt": settings.flat(),
        "objective_settings": [*declared_by(settings, "mode")],
        "epoch": state.epoch,
        "iteration": state.iteration,
        "best_performance": state.best_performance,
        "best_iteration": state.best_iteration,
        "selected_on": run.data.selection_split,
        "selected_by": OBJECTIVES[settings.mode].selected_by,
        "selection_ids": _selection_ids(run.data),
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.scaler.state_dict(),
        "amp": run.amp,
        "state": {key: getattr(state, key) for key in STATE_KEYS},
        "random": random_states(),
        "config": config,
    }
    if run.average is not None:
        # The raw weights, from which training continues, besides their EMA, which predicts.
        content |= {"trained": run.model.state_dict(), "averaged": int(run.average.n_averaged)}
    keep_previous = file == LATEST_FILE and state.saved != state.iteration
    save_checkpoint(run.folder / file, content, previous=run.folder / PREVIOUS_FILE if keep_previous else None)
    if file == LATEST_FILE:
        state.saved = state.iteration


class Start(NamedTuple):
    """The checkpoint that a run begins with, if any."""

    checkpoint: dict | None  # to take the weights from
    path: Path | None = None
    resumes: bool = False  # whether its run is continued, and not only its weights used
    notes: Sequence[str] = ()  # for the log
    fell_back: bool = False  # whether it is the previous one, since the latest is broken


def checkpoint_to_start_from(settings: Settings, data: Data) -> Start:
    """The checkpoint to resume or to take weights from; refuses to run over an earlier run.

    ``--resume`` starts from scratch where the folder has no checkpoint yet: the run was stopped before its first.

    Raises:
        ValueError: for an earlier run; for one to resume that has other options or data, or began with weights that it
            has to be given again; and as ``weights_to_start_from``.
    """
    folder, note = settings.folder, None
    if not settings.resume:
        if not settings.makes_labels:
            # The folders of rounds were checked before their labels were made.
            check_no_earlier(settings, [folder])
        return Start(weights_to_start_from(settings, [folder]), settings.ckpt_path and Path(settings.ckpt_path))
    if settings.ckpt_path and not _began_with(settings.ckpt_path, folder):
        path = Path(settings.ckpt_path)
        checkpoint = load_checkpoint(path)
    elif has_checkpoint(folder):
        checkpoint, note = load_latest(folder / LATEST_FILE, folder / PREVIOUS_FILE)
        path = folder / (PREVIOUS_FILE if note else LATEST_FILE)
    elif weights := start_weights(folder):
        raise ValueError(
            f"{folder}: expected a checkpoint to resume, found a run that began with the weights at {weights} and has "
            f"none yet; call it with --overwrite --ckpt_path {weights} in place of --resume"
        )
    else:
        return Start(None, notes=[f"nothing to resume: no checkpoint in {folder} yet; started from scratch"])
    _check_resumable(settings, checkpoint, path)
    notes = [note] if note else []
    if reason := _why_reset_best(settings, checkpoint):
        # A validation that is due at its iteration is repeated.
        state = {**checkpoint["state"], "validated": 0}
        checkpoint = {**checkpoint, "best_performance": None, "best_iteration": 0, "state": state}
        notes.append(f"{reason}; it is chosen anew")
    notes.append(f"resumed at iteration {checkpoint['iteration'] or 0}")
    _check_same_data(data, checkpoint, path)
    return Start(checkpoint, path, resumes=True, notes=notes, fell_back=note is not None)


def check_no_earlier(settings: Settings, folders: Sequence[Path]) -> None:
    """Raise ValueError if there are runs or labels already and neither ``resume`` nor ``overwrite``."""
    files = (ARGS_FILE, LABELS_FILE, LATEST_FILE, PREVIOUS_FILE, BEST_FILE, SUMMARY_FILE)
    earlier = [str(folder) for folder in folders if any((folder / file).exists() for file in files)]
    if earlier and not (settings.resume or settings.overwrite):
        raise ValueError(
            f"{', '.join(earlier)}: expected a new run folder (--exp_path), found an earlier run; add --resume to "
            "continue it or --overwrite to replace it"
        )


def start_weights(folder: Path) -> str | None:
    """The checkpoint whose weights the run in a folder began with, by its ``first_options``."""
    first = first_options(folder)
    # A run that was resumed from a checkpoint had begun before.
    return None if first.get("resume") else first.get("ckpt_path")


def _began_with(path: str | None, folder: Path) -> bool:
    """Whether a run began with the weights at a path, or without any, where that is None; compared by resolved path, or
    by content where run and weights have moved."""
    start = start_weights(folder)
    if path is None or start is None:
        return path is start
    same_place = os.path.realpath(path) == os.path.realpath(start)
    return same_place or (os.path.isfile(path) and sha256_of(path) == first_options(folder).get(START_SHA256))


def _why_reset_best(settings: Settings, checkpoint: Mapping) -> str | None:
    """Why the best performance so far does not hold for the resumed run; None where it does, or there is none."""
    best = settings.folder / BEST_FILE
    if checkpoint["best_performance"] is None:
        return None
    if not best.is_file():
        return f"{best}: expected the best checkpoint so far, found none"
    before, now = checkpoint.get("selected_by", "dice"), OBJECTIVES[settings.mode].selected_by
    return None if before == now else f"{best}: expected the best checkpoint by its {now}, found one by its {before}"


def check_same_start(iteration: int, folder: Path, group: Group) -> None:
    """Wait for all processes; ValueError if they found different checkpoints, as in folders that are not shared."""
    found = group.gather(iteration)
    if len(set(found)) > 1:
        raise ValueError(
            f"{folder}: expected one run folder for all processes, found checkpoints of iterations "
            f"{', '.join(map(str, found))}; put it where all machines see it"
        )


def has_checkpoint(folder: Path) -> bool:
    """Whether a run folder has a checkpoint to resume."""
    return (folder / LATEST_FILE).exists() or (folder / PREVIOUS_FILE).exists()


def check_same_options_as_before(one: Settings, ckpt_path: str | None) -> None:
    """Raise ValueError if the run in the folder was trained, or begun, with other options, other start weights
    (``ckpt_path``), or other training images."""
    path = one.folder / ARGS_FILE
    if path.is_file():
        before = first_options(one.folder)
        check_same_options(one, before, path)
        # Earlier runs lack it.
        if before.get(TRAIN_LIST) and before[TRAIN_LIST] != train_list_sha256(one.root):
            raise ValueError(
                f"{path}: expected the training images that the run began with, found other ids in "
                f"{Path(one.root, 'train.txt')}; restore the split files, or start a new run (--exp_path)"
            )
        if not before.get("resume") and not _began_with(ckpt_path, one.folder):
            raise ValueError(
                f"{path}: expected the weights that the run started from, --ckpt_path {before.get('ckpt_path')}, found "
                f"{ckpt_path}: what is left would start otherwise; name the same"
            )
    elif (one.folder / SUMMARY_FILE).is_file():
        raise ValueError(
            f"{path}: expected the options of the finished run beside its {SUMMARY_FILE}, found none; remove that "
            "folder, or choose another --exp_path"
        )


def weights_to_start_from(settings: Settings, folders: Sequence[Path]) -> dict | None:
    """The checkpoint at ``ckpt_path``, None where none is named.

    Args:
        folders: of the runs that are to be replaced.

    Raises:
        ValueError: for one whose encoder had another input normalisation, for weights or maps that ``overwrite`` would
            remove; and see ``load_checkpoint``.
    """
    replaced = {os.path.realpath(part) for folder in folders for part in (folder, *folder.glob("round[0-9]*"))}
    named = {option: getattr(settings, option) for option in ("ckpt_path", "map_folder")}
    named |= {option: settings.flat()[option] for option in MODELS[settings.model].pretrained_settings}
    for option, path in named.items() if settings.overwrite else ():
        if not path or not os.path.exists(path):
            continue
        place = Path(os.path.realpath(path)).parent
        # The maps of a round are removed with it; where labels are made, they are its own.
        removed = option != "map_folder" or ((place / LABELS_FILE).is_file() and not settings.makes_labels)
        if removed and str(place) in replaced:
            raise ValueError(
                f"{path}: expected --{option} outside the folders that --overwrite replaces, found it in one; copy it "
                "elsewhere, or choose another --exp_path"
            )
    if not settings.ckpt_path:
        return None
    checkpoint = load_checkpoint(settings.ckpt_path)
    found = ((checkpoint.get("config") or {}).get("model") or {}).get("encoder_input", settings.encoder_input)
    if found != settings.encoder_input:
        raise ValueError(
            f"{settings.ckpt_path}: expected weights for an encoder that is fed as {settings.encoder_input}, found "
            f"{found}; name the same --encoder_weights as it was trained with"
        )
    return checkpoint


def _check_resumable(settings: Settings, checkpoint: dict, path) -> None:
    before = checkpoint.get("opt")
    # Released checkpoints hold a Namespace.
    keys = RESUME_KEYS + MEAN_KEYS * bool(settings.ema)
    if not isinstance(before, dict) or any(key not in checkpoint for key in keys):
        raise ValueError(f"{path}: expected a checkpoint of this project, found one that cannot be resumed")
    check_same_options(settings, before, path)
    if not (checkpoint["iteration"] or 0) <= settings.max_ite:
        raise ValueError(f"{path}: expected an iteration up to {settings.max_ite}, found {checkpoint['iteration']}")


def check_same_options(settings: Settings, before: Mapping, path) -> None:
    """Raise ValueError naming the options of the recipe that differ from those ``before``, found at ``path``."""
    before = {**EARLIER_RECIPE, **{name: one.default for name, one in declared_by(settings).items()}, **before}
    now = recipe_of(settings)
    if not settings.makes_labels:
        # The maps of rounds lie in the run's own folder, which may be moved.
        now["map_folder"] = settings.map_folder
    changed = [key for key, value in now.items() if plain(before.get(key)) != value]
    if changed:
        listed = ", ".join(f"--{key} {plain(before.get(key))} (now {now[key]})" for key in changed)
        raise ValueError(f"{path}: expected the options of the run to resume, found others: {listed}")


def _check_same_data(data: Data, checkpoint: Mapping, path: Path) -> None:
    config, train = checkpoint.get("config") or {}, data.train
    check_settings(train.spec, config, path)
    thresholds = list(train.thresholds or ())
    for name, before, now in (
        ("ignore_value", config.get("ignore_value"), train.spec.ignore_value),
        ("thresholds", config.get("level_thresholds", thresholds), thresholds),
    ):
        if before != now:
            raise ValueError(
                f"{path}: expected the {name} of the run to resume, {before}, found {now}; restore it in dataset.toml, "
                "or start a new run (--exp_path)"
            )
    ids = hash_ids(train.names)
    trained = config.get("train_ids", ids)
    # The order counts too: the loader draws by it.
    if trained != ids:
        raise ValueError(
            f"{path}: expected the {len(trained)} training images of the run to resume, in their order, found "
            f"{len(ids)}, of which {len(set(ids) - set(trained))} are others; restore the split files, case_pattern "
            "and, with --skip_missing_gaze, the gaze maps, or start a new run (--exp_path)"
        )
    split, ids = data.selection_split, _selection_ids(data)
    chosen_on, chosen_ids = checkpoint["selected_on"], checkpoint["selection_ids"]
    if checkpoint["best_performance"] is not None and (chosen_on, chosen_ids) != (split, ids):
        raise ValueError(
            f"{path}: expected to choose the best checkpoint on the {len(chosen_ids)} images of the {chosen_on} "
            f"split, as so far, found {split} with {len(ids)}, not all the same; restore val.txt, test.txt and masks "
            "as they were, or start a new run (--exp_path)"
        )


def _selection_ids(data: Data) -> list[int]:
    return hash_ids(data.selection.names) if data.selection else []


def plain(value):
    """The value of an option as JSON gives it back: a tuple as a list."""
    return list(value) if isinstance(value, tuple) else value


def restore(run: Run, start: Start) -> None:
    """Load the start weights; for a run to resume, also the state of optimizer, scaler, generators and progress.

    Raises:
        ValueError: for weights or states that do not fit, or if the run would go on in another precision.
    """
    checkpoint, state = start.checkpoint, run.state
    if checkpoint is None:
        return
    try:
        resumes_mean = start.resumes and run.average is not None
        load_weights(run.model, checkpoint["trained" if resumes_mean else "state_dict"])
        if run.average is not None:
            load_weights(run.average.module, checkpoint["state_dict"])
            run.average.n_averaged.fill_(checkpoint["averaged"] if resumes_mean else 0)
        if not start.resumes:
            return
        if checkpoint["amp"] != run.amp:
            raise ValueError(
                f"--amp: expected {checkpoint['amp']}, in which the run to resume began, found {run.amp} on "
                f"{run.device}; resume it on the kind of device that it began on"
            )
        restore_optimizer(run.optimizer, checkpoint["optimizer"])
        # Constants of the scaler are not taken from a file.
        run.scaler.load_state_dict({**run.scaler.state_dict(), **checkpoint["scaler"]})
        state.iteration = state.saved = checkpoint["iteration"] or 0
        state.best_performance = checkpoint["best_performance"]
        state.best_iteration = checkpoint["best_iteration"] or 0
        for key, value in checkpoint["state"].items():
            setattr(state, key, value)
        restore_random_states(checkpoint["random"])
    except ValueError as error:
        raise ValueError(f"{start.path}: {error}") from error


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping) -> None:
    """Load an optimizer's state (momentum, Adam's moments) from a checkpoint; hyperparameters are kept.

    Args:
        optimizer: with one group of parameters.
        saved: of its ``state_dict``.

    Raises:
        ValueError: for other entries than the optimizer's own, or such as do not fit their parameters.
    """
    own = optimizer.param_groups[0]["params"]
    keys = MOMENTS_OF_SGD if isinstance(optimizer, torch.optim.SGD) else MOMENTS_OF_ADAM
    try:
        (group,) = saved["param_groups"]
        rate = group["lr"]
        for index, state in saved["state"].items():
            if set(state) != keys or not all(_fits(key, value, own[index]) for key, value in state.items()):
                raise ValueError(f"of parameter {index}: {shown(state)}")
        if not number(0).fits(rate):
            raise ValueError(f"a rate of {shown(rate)}")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"optimizer: expected the state of the run to resume, found another ({error})") from error
    (options,) = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": [{**options, "lr": rate}]})


def _fits(key: str, value: Tensor, parameter: Tensor) -> bool:
    """Whether an entry fits its parameter: of its shape, finite, and not below 0 for a count or mean of squares."""
    if not value.is_floating_point() or value.shape != (() if key == "step" else parameter.shape):
        return False
    low, high = map(float, value.aminmax())
    return math.isfinite(low + high) and (low >= 0 or key not in ("step", "exp_avg_sq"))
