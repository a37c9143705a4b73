"""``run.py train``: build data, model and objective, train, and evaluate once at the end."""

from __future__ import annotations

import argparse
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from commands.data_options import check_settings, complete, id_numbers, remembered_settings
from commands.scoring import PER_CASE_FILE, examples_picture, score
from datasets import SegmentationDataset, build_dataset, get_spec
from datasets.loaders import evaluation_loader, training_loader
from datasets.splits import has_validation_file
from losses import build_objective
from models import build_from_weights, build_model
from models.registry import load_weights
from trainer import LogHook, SaveHook, StopHook, TrainState, ValidateHook, train
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.devices import pick_device, precision
from utils.files import write_json
from utils.interrupt import StopRequest
from utils.log import RunLog, code_version
from utils.reporting import SUMMARY_FILE, describe_metrics
from utils.schedule import epoch_learning_rate, total_epochs
from utils.seeding import seed_everything

LATEST_FILE, BEST_FILE, ARGS_FILE = "model_latest.pth", "model_best.pth", "args.json"
RUN_FILES = (
    "args.json",
    "train.log",
    "events.out.tfevents.*",
    LATEST_FILE,
    BEST_FILE,
    "per_case*.csv",
    "summary.json",
    "examples.png",
)
STOPPED_CODE = 130
NUM_PICTURES = 3
MODEL_KEYS = (
    "in_channels",
    "num_levels",
    "cons_mode",
    "features",
    "feat_dim",
    "init",
    "prop_similarity",
    "prop_kernel_size",
    "prop_dilation",
    "encoder",
    "encoder_weights",
)
# What a resumed run must share with the one that it continues.
RECIPE_KEYS = (
    "mode",
    "data",
    "model",
    *MODEL_KEYS,
    "level_thresholds",
    "cons_weight",
    "seg_loss",
    "max_ite",
    "batch_size",
    "spatial_size",
    "opt",
    "lr",
    "lr_min",
    "lr_scheduler",
    "warmup_ite",
    "weight_decay",
    "data_size_rate",
    "val_fraction",
    "flip_prob",
    "fp16",
    "seed",
)


class Data(NamedTuple):
    """The data sets of a run; ``selection`` is where the best checkpoint is chosen."""

    train: SegmentationDataset
    selection: SegmentationDataset | None
    selection_split: str | None
    test: SegmentationDataset | None


class Run(NamedTuple):
    """What the parts of a run share."""

    args: argparse.Namespace
    folder: Path
    data: Data
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.GradScaler
    state: TrainState
    device: torch.device
    log: RunLog


def main(args: argparse.Namespace) -> int:
    """Train and evaluate; 0, or 130 if stopped by a signal. Raises ValueError and OSError for what is wrong."""
    spec = get_spec(args.data, args.root)
    args = complete(args, spec)
    folder, device = Path(args.exp_path), pick_device(args.device)
    # Everything that can be wrong with data or checkpoint shows here, before the run folder is touched.
    data = build_data(args)
    checkpoint = _checkpoint_to_start_from(args, folder, data.train)
    seed_everything(args.seed)
    model = build_model(args.model, **model_settings(args)).to(device)
    if checkpoint:
        load_weights(model, checkpoint["state_dict"])
    if args.overwrite:
        _remove_run(folder)
    with RunLog(folder) as log:
        autocast, scaler = precision(args.fp16, device)
        optimizer = build_optimizer(args, model)
        state = TrainState(iterations_per_epoch=-(-len(data.train) // args.batch_size))
        run = Run(args, folder, data, model, optimizer, scaler, state, device, log)
        if args.resume:
            _restore(run, checkpoint)
        else:
            write_json(folder / ARGS_FILE, vars(args) | {"data_spec": asdict(spec)})
        _describe(run)
        started = time.monotonic()
        if _train(run, autocast):
            log.info(f"stopped after iteration {state.iteration}; the same command with --resume continues")
            return STOPPED_CODE
        finish(run, seconds=time.monotonic() - started)
    return 0


def build_data(args: argparse.Namespace) -> Data:
    """The data sets of a training command line; without masks or test.txt there is nothing to evaluate on.

    The validation split is that of ``--val_fraction`` or, where there are masks, of val.txt.
    """
    gaze = args.mode == "gaze_sup"
    common = {
        "root": args.root,
        "spatial_size": args.spatial_size,
        "val_fraction": args.val_fraction,
        "seed": args.seed,
    }
    train_set = build_dataset(
        args.data,
        split="train",
        data_size_rate=args.data_size_rate,
        num_levels=args.num_levels if gaze else None,
        level_thresholds=args.level_thresholds,
        labels="none" if gaze else "required",
        augment=args.flip_prob > 0,
        **common,
    )
    train_set.flip_probability = args.flip_prob
    root = Path(args.root)
    has_masks = (root / "masks").is_dir() and any((root / "masks").iterdir())
    test = build_dataset(args.data, split="test", **common) if has_masks and (root / "test.txt").is_file() else None
    if args.val_fraction or (has_masks and has_validation_file(root)):
        return Data(train_set, build_dataset(args.data, split="val", **common), "validation", test)
    return Data(train_set, test, "test" if test else None, test)


def model_settings(args: argparse.Namespace) -> dict:
    """The arguments of ``build_model`` from a command line."""
    return {key: getattr(args, key) for key in MODEL_KEYS}


def build_optimizer(args: argparse.Namespace, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all parameters that train; frozen ones (the released head) are left out."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    common = {"lr": args.lr, "weight_decay": args.weight_decay}
    if args.opt == "sgd":
        return torch.optim.SGD(parameters, momentum=0.99, nesterov=True, **common)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[args.opt](parameters, **common)


def finish(run: Run, *, seconds: float) -> None:
    """Read the test set once: the last iteration, and the checkpoint chosen on the selection split."""
    results: dict[str, dict] = {}
    headline = "validation_selected" if run.data.selection_split == "validation" else "last"
    if run.data.test is not None:
        loader = _evaluation_loader(run, run.data.test)
        results["last"] = _score(run, run.model, loader, "last", headline, run.state.iteration)
        if run.state.best_performance is not None and (run.folder / BEST_FILE).is_file():
            label = f"{run.data.selection_split}_selected"
            best = load_checkpoint(run.folder / BEST_FILE)
            model = build_from_weights(best["state_dict"], best["config"]["model"]).to(run.device)
            results[label] = _score(run, model, loader, label, headline, best["iteration"])
    args = run.args
    summary = {
        "what": _what(args),
        "data": args.data,
        "mode": args.mode,
        "num_levels": args.num_levels,
        "cons_mode": args.cons_mode,
        "seed": args.seed,
        "spatial_size": args.spatial_size,
        "num_train": len(run.data.train),
        "num_test": len(run.data.test) if run.data.test else 0,
        "selected_on": run.data.selection_split,
        "headline": headline if results else None,
        "results": results,
        "seconds_this_call": round(seconds, 1),
        "device": str(run.device),
        "version": code_version(),
    }
    write_json(run.folder / SUMMARY_FILE, summary)
    if not results:
        run.log.info("no masks or no test.txt: nothing was evaluated")


def _score(run: Run, model: nn.Module, loader, label: str, headline: str, iteration: int) -> dict:
    main_result = label == headline
    metrics = score(
        model,
        loader,
        run.device,
        run.folder,
        save_pred=run.args.save_pred and main_result,
        examples=main_result,
        per_case_file=PER_CASE_FILE if main_result else f"per_case_{label}.csv",
    )
    warning = " (chosen on the test set, as released: optimistic)" if label == "test_selected" else ""
    run.log.info(f"[test, {label.replace('_', ' ')}{warning} | Ite {iteration}] {describe_metrics(metrics)}")
    return {"iteration": int(iteration), "metrics": metrics}


def _train(run: Run, autocast) -> bool:
    """Train to the end or to a stop; True if stopped."""
    args, state = run.args, run.state
    schedule = {
        "scheduler": args.lr_scheduler,
        "lr": args.lr,
        "lr_min": args.lr_min,
        "total_epochs": total_epochs(args.max_ite, state.iterations_per_epoch),
        "warmup_epochs": -(-args.warmup_ite // state.iterations_per_epoch),
    }
    loader = training_loader(
        run.data.train,
        batch_size=args.batch_size,
        max_ite=args.max_ite,
        start=state.iteration,
        seed=args.seed,
        num_worker=args.num_worker,
        pin_memory=run.device.type == "cuda",
    )
    objective = build_objective(args.mode, **_objective_settings(args))
    log_hook = LogHook(run.log, step=args.log_step, max_ite=args.max_ite, start=state.iteration)
    with StopRequest() as stop:
        hooks = [
            log_hook,
            _validation(run),
            StopHook(stop),
            SaveHook(lambda: _save(run, LATEST_FILE), step=args.save_step, max_ite=args.max_ite),
        ]
        try:
            train(
                run.model,
                objective,
                run.optimizer,
                loader,
                state=state,
                device=run.device,
                autocast=autocast,
                scaler=run.scaler,
                hooks=hooks,
                learning_rate=lambda epoch: epoch_learning_rate(epoch, **schedule),
            )
        finally:
            log_hook.close()
    return state.iteration < args.max_ite


def _validation(run: Run) -> ValidateHook:
    data, args = run.data, run.args
    shown = data.train.showcase(NUM_PICTURES)
    return ValidateHook(
        run.model,
        _evaluation_loader(run, data.selection) if data.selection else None,
        run.device,
        run.log,
        split=data.selection_split or "",
        step=args.val_step,
        max_ite=args.max_ite,
        on_best=lambda: _save(run, BEST_FILE),
        picture=lambda: examples_picture(run.model, shown, shown.names, run.device),
    )


def _evaluation_loader(run: Run, dataset: SegmentationDataset):
    return evaluation_loader(dataset, batch_size=run.args.batch_size, num_worker=run.args.num_worker)


def _objective_settings(args: argparse.Namespace) -> dict:
    settings = {"seg_loss": args.seg_loss}
    if args.mode == "gaze_sup":
        settings |= {"cons_mode": args.cons_mode, "cons_weight": args.cons_weight}
    return settings


def _save(run: Run, file: str) -> None:
    """A checkpoint with the entries of the released ones, and what resuming and predicting need beside."""
    args, state = run.args, run.state
    save_checkpoint(
        run.folder / file,
        {
            "state_dict": run.model.state_dict(),
            "opt": vars(args),
            "epoch": state.epoch,
            "iteration": state.iteration,
            "best_performance": state.best_performance,
            "best_iteration": state.best_iteration,
            "selected_on": run.data.selection_split,
            "optimizer": run.optimizer.state_dict(),
            "scaler": run.scaler.state_dict(),
            "config": {
                "model": {"name": args.model, **model_settings(args)},
                "data": args.data,
                **remembered_settings(run.data.train.spec),
                "level_thresholds": list(run.data.train.thresholds or ()),
                "train_ids": id_numbers(run.data.train.names),
                "spatial_size": args.spatial_size,
                "val_fraction": args.val_fraction,
                "seed": args.seed,
            },
        },
    )


def _checkpoint_to_start_from(args: argparse.Namespace, folder: Path, data: SegmentationDataset) -> dict | None:
    """The checkpoint to resume or to take weights from; refuses to run over an earlier run."""
    latest = folder / LATEST_FILE
    if args.resume:
        checkpoint = load_checkpoint(args.ckpt_path or latest)
        _check_same_recipe(args, checkpoint, args.ckpt_path or latest)
        _check_same_settings(data, checkpoint.get("config") or {}, args.ckpt_path or latest)
        return checkpoint
    if not args.overwrite and (latest.exists() or (folder / ARGS_FILE).exists()):
        raise ValueError(
            f"{folder}: expected a new run folder (--exp_path), found an earlier run; "
            "add --resume to continue it or --overwrite to replace it"
        )
    return load_checkpoint(args.ckpt_path) if args.ckpt_path else None


def _remove_run(folder: Path) -> None:
    """Remove the files of an earlier run and nothing else: the folder may be anybody's."""
    for pattern in RUN_FILES:
        for path in folder.glob(pattern):
            path.unlink()


def _check_same_recipe(args: argparse.Namespace, checkpoint: dict, path) -> None:
    before = checkpoint.get("opt")
    if not isinstance(before, dict) or "optimizer" not in checkpoint:
        raise ValueError(f"{path}: expected a checkpoint of this project, found one that cannot be resumed")
    changed = [key for key in RECIPE_KEYS if _plain(before.get(key)) != _plain(getattr(args, key))]
    if changed:
        listed = ", ".join(f"--{key} {before.get(key)} (now {getattr(args, key)})" for key in changed)
        raise ValueError(f"{path}: expected the options of the run to resume, found others: {listed}")


def _check_same_settings(data: SegmentationDataset, config: dict, path) -> None:
    check_settings(data.spec, config, path)
    now = list(data.thresholds or ())
    before = config.get("level_thresholds", now)
    if before != now:
        raise ValueError(f"{path}: expected the thresholds of the run to resume, {before}, found {now}")
    ids = id_numbers(data.names)
    trained = config.get("train_ids", ids)
    # The order counts too: the loader draws by it.
    if trained != ids:
        raise ValueError(
            f"{path}: expected the {len(trained)} training images of the run to resume, in their order, found "
            f"{len(ids)}, of which {len(set(ids) - set(trained))} are others; restore the split files and "
            "case_pattern, or start a new run (--exp_path)"
        )


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def _restore(run: Run, checkpoint: dict) -> None:
    run.optimizer.load_state_dict(checkpoint["optimizer"])
    run.scaler.load_state_dict(checkpoint["scaler"])
    run.state.iteration = int(checkpoint["iteration"])
    run.state.best_performance = checkpoint["best_performance"]
    run.state.best_iteration = int(checkpoint["best_iteration"])


def _describe(run: Run) -> None:
    """The first lines of the log: machine, versions, sizes, and what an option does not do here."""
    args, data, log = run.args, run.data, run.log
    parameters = sum(p.numel() for p in run.model.parameters())
    log.info(f"{_what(args)}; run folder {run.folder}; seed {args.seed}")
    log.info(
        f"device {run.device}, {torch.get_num_threads()} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, code {code_version()}"
    )
    log.info(
        f"{parameters:,} parameters; {len(data.train)} training, "
        f"{len(data.selection) if data.selection else 0} {data.selection_split or 'validation'}, "
        f"{len(data.test) if data.test else 0} test images"
    )
    if data.selection_split == "test":
        log.info(
            "the best checkpoint is chosen on the test set, as released; --val_fraction or val.txt keeps a split apart"
        )
    if args.fp16 and run.device.type == "cpu":
        log.info("--fp16 on the CPU computes in bfloat16")
    if args.mode == "full_sup" or args.num_levels == 1:
        log.info("--cons_mode, --cons_weight and --prop_* do nothing here: one level, or full supervision")
    if args.resume:
        log.info(f"resumed at iteration {run.state.iteration}")


def _what(args: argparse.Namespace) -> str:
    levels = f"{args.num_levels} level{'s' if args.num_levels > 1 else ''}"
    if args.mode == "full_sup":
        return f"full supervision, {levels}"
    return f"gaze, {levels}" + (f", {args.cons_mode} consistency x {args.cons_weight:g}" if args.num_levels > 1 else "")
