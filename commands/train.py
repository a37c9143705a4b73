"""``run.py train``: build data, model and objective, train, and evaluate once at the end."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from commands.data_options import complete
from commands.scoring import examples_picture
from commands.training.build import build_data, build_optimizer, model_settings, objective_settings
from commands.training.checkpoints import checkpoint_to_start_from, remove_run, restore, save
from commands.training.describe import describe
from commands.training.results import finish, run_evaluation_loader
from commands.training.run import ARGS_FILE, BEST_FILE, LATEST_FILE, Run
from commands.training.seeds import train_seeds
from datasets import get_spec
from datasets.loaders import training_loader
from losses import build_objective
from models import build_model
from models.registry import load_weights
from trainer import LogHook, SaveHook, StopHook, TrainState, ValidateHook, train
from utils.devices import pick_device, precision
from utils.files import write_json
from utils.interrupt import StopRequest
from utils.log import RunLog
from utils.schedule import epoch_learning_rate, total_epochs
from utils.seeding import seed_everything

STOPPED_CODE = 130
NUM_PICTURES = 3


def main(args: argparse.Namespace) -> int:
    """One run, or one a seed; 0, or 130 if stopped by a signal. Raises ValueError and OSError for what is wrong."""
    return train_seeds(args, train_one) if args.seeds else train_one(args)


def train_one(args: argparse.Namespace) -> int:
    """Train and evaluate; 0, or 130 if stopped by a signal."""
    spec = get_spec(args.data, args.root)
    args = complete(args, spec)
    folder, device = Path(args.exp_path), pick_device(args.device)
    # Everything that can be wrong with data or checkpoint shows here, before the run folder is touched.
    data = build_data(args)
    checkpoint = checkpoint_to_start_from(args, folder, data.train)
    seed_everything(args.seed)
    model = build_model(args.model, **model_settings(args)).to(device)
    if checkpoint:
        load_weights(model, checkpoint["state_dict"])
    if args.overwrite:
        remove_run(folder)
    with RunLog(folder) as log:
        autocast, scaler = precision(args.fp16, device)
        optimizer = build_optimizer(args, model)
        state = TrainState(iterations_per_epoch=-(-len(data.train) // args.batch_size))
        run = Run(args, folder, data, model, optimizer, scaler, state, device, log)
        if args.resume:
            restore(run, checkpoint)
        else:
            write_json(folder / ARGS_FILE, vars(args) | {"data_spec": asdict(spec)})
        describe(run)
        started = time.monotonic()
        if _train(run, autocast):
            log.info(f"stopped after iteration {state.iteration}; the same command with --resume continues")
            return STOPPED_CODE
        finish(run, seconds=time.monotonic() - started)
    return 0


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
    objective = build_objective(args.mode, **objective_settings(args))
    log_hook = LogHook(run.log, step=args.log_step, max_ite=args.max_ite, start=state.iteration)
    with StopRequest() as stop:
        hooks = [
            log_hook,
            _validation(run),
            StopHook(stop),
            SaveHook(lambda: save(run, LATEST_FILE), step=args.save_step, max_ite=args.max_ite),
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
        run_evaluation_loader(run, data.selection) if data.selection else None,
        run.device,
        run.log,
        split=data.selection_split or "",
        step=args.val_step,
        max_ite=args.max_ite,
        on_best=lambda: save(run, BEST_FILE),
        picture=lambda: examples_picture(run.model, shown, shown.names, run.device),
    )
