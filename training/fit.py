"""A training from its options to its scores: data, model, objective, loop, one evaluation at the end."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from datasets import get_spec
from datasets.loaders import training_loader
from inference.scoring import examples_picture
from losses import OBJECTIVES, build_objective
from trainer import TrainState, train
from training.build import (
    build_average,
    build_data,
    build_network,
    build_optimizer,
    check_batch_size,
    memory_layout,
    objective_settings,
    smallest_batch,
)
from training.checkpoints import (
    Start,
    check_same_start,
    checkpoint_to_start_from,
    prepare_folder,
    restore,
    save,
    schedule,
)
from training.data_options import complete
from training.describe import describe
from training.forecast import ForecastHook
from training.hooks import AverageHook, LogHook, ProfileHook, SaveHook, StopHook, TimeHook, ValidateHook
from training.results import finish
from training.rounds import has_rounds, train_rounds
from training.run import Data, Run
from training.run_folder import ARGS_FILE, BEST_FILE, LATEST_FILE, PROFILE_FOLDER
from training.schedule import iteration_learning_rate
from training.seeding import seed_everything
from training.seeds import train_seeds
from training.targets import watched
from utils.cores import with_cores
from utils.devices import amp_of, make_deterministic, precision
from utils.distributed import Group, process_group
from utils.files import write_json
from utils.interrupt import Deadline, StopRequest
from utils.log import NoLog, RunLog
from utils.wandb_mirror import check_wandb, wandb_mirror

STOPPED_CODE = 130
NUM_PICTURES = 3


def fit(args: argparse.Namespace) -> int:
    """One run, or one a seed; 0, or 130 if stopped before the end. Raises ValueError and OSError for what is wrong."""
    if args.wandb:
        check_wandb()
    deadline = Deadline(args.max_minutes)
    with process_group(args.device) as (group, device):
        args = with_cores(args, device, group.on_this_machine)

        def train_all(one: argparse.Namespace) -> int:
            if has_rounds(one):
                return train_rounds(one, lambda of_round: train_one(of_round, group, device, deadline), group, device)
            return train_one(one, group, device, deadline)

        return train_seeds(args, train_all, group) if args.seeds else train_all(args)


def train_one(args: argparse.Namespace, group: Group, device: torch.device, deadline: Deadline) -> int:
    """Train and evaluate one run, of one seed, in all processes of the group; 0, or 130 if stopped before the end."""
    spec = get_spec(args.data, args.root)
    args = complete(args, spec)
    folder = Path(args.exp_path)
    # Everything that can be wrong with data or checkpoint shows here, before the run folder is touched.
    check_batch_size(args, group)
    data = build_data(args, group)
    start = checkpoint_to_start_from(args, folder, data.train)
    run = _build_run(args, folder, data, start, device, group)
    # All processes have looked before one writes.
    check_same_start(run.state.iteration, folder, group)
    if group.is_main:
        prepare_folder(folder, start, overwrite=args.overwrite)
    with _log(args, folder, run.state, group) as log:
        run = run._replace(log=log)
        if group.is_main and not (start.resumes and (folder / ARGS_FILE).is_file()):
            facts = {"data_spec": asdict(spec), "without_map": data.train.without_map}
            write_json(folder / ARGS_FILE, vars(args) | facts)
        describe(run, start)
        stopped_by = _train(run, deadline)
        if stopped_by:
            at = f"iteration {run.state.iteration}"
            log.info(f"stopped after {at} ({stopped_by}); the same command with --resume continues")
        else:
            finish(run)
    # torchrun ends all processes once one has ended with another code than 0: none is to do so while rank 0 writes.
    group.barrier()
    return STOPPED_CODE if stopped_by else 0


def _build_run(
    args: argparse.Namespace, folder: Path, data: Data, start: Start, device: torch.device, group: Group
) -> Run:
    """The run where it starts, without its log: nothing is written yet."""
    seed_everything(args.seed)
    if args.deterministic:
        make_deterministic(device)
    model = build_network(args, device, smallest_batch(args, len(data.train), group), group)
    _, scaler = precision(amp_of(args.amp, args.fp16, device), device)
    state = TrainState(iterations_per_epoch=-(-len(data.train) // args.batch_size))
    run = Run(args, folder, data, model, build_optimizer(args, model), scaler, state, device, NoLog(), group)
    run = run._replace(average=build_average(args, model))
    restore(run, start)
    return run


@contextlib.contextmanager
def _log(args: argparse.Namespace, folder: Path, state: TrainState, group: Group) -> Iterator[RunLog | NoLog]:
    """The log of the run, which the main process alone writes."""
    if not group.is_main:
        yield NoLog()
        return
    redo_from = state.iteration + 1 if args.resume else None
    mirror = contextlib.nullcontext()
    if args.wandb:
        mirror = wandb_mirror(
            folder, vars(args), resume=args.resume, is_finished=lambda: state.iteration >= args.max_ite
        )
    with mirror, RunLog(folder, redo_from=redo_from) as log:
        yield log


def _train(run: Run, deadline: Deadline) -> str | None:
    """Train to the end or to a stop; what asked for the stop, or None."""
    args, state, group = run.args, run.state, run.group
    loader = training_loader(
        run.data.train,
        batch_size=args.batch_size,
        max_ite=args.max_ite,
        start=state.iteration,
        seed=args.seed,
        num_worker=args.num_worker,
        pin_memory=run.device.type == "cuda",
        rank=group.rank,
        size=group.size,
    )
    rates = schedule(args, state)
    autocast, _ = precision(amp_of(args.amp, args.fp16, run.device), run.device)
    with StopRequest(deadline, patient=group.size > 1) as request, _hooks(run, request) as (validate, hooks):
        if validate.catch_up(state):
            # There may be no step left that would.
            save(run, LATEST_FILE, again=True)
        if not state.stopped:
            train(
                group.wrap(run.model),
                build_objective(args.mode, **objective_settings(args)),
                run.optimizer,
                watched(loader, min(state.iterations_per_epoch, args.max_ite - state.iteration), run.log.info),
                state=state,
                device=run.device,
                autocast=autocast,
                scaler=run.scaler,
                hooks=hooks,
                learning_rate=lambda iteration: iteration_learning_rate(iteration, state.iterations_per_epoch, rates),
                group=group,
                share=loader.batch_sampler.share,
                memory_format=memory_layout(args, run.device),
                warn=run.log.info,
            )
        # Also one that came after the last look at it. Each process knows only what it was asked itself.
        return next(filter(None, group.gather(request.reason)), None)


@contextlib.contextmanager
def _hooks(run: Run, request: StopRequest) -> Iterator[tuple[ValidateHook, list]]:
    """The validation and all hooks in their order, closed at the end."""
    args, group = run.args, run.group
    log = LogHook(
        run.log,
        step=args.log_step,
        max_ite=args.max_ite,
        start=run.state.iteration,
        images_a_step=len(run.data.train) / run.state.iterations_per_epoch,
        device=run.device,
    )
    forecast = ForecastHook(run.log, args, run.device, start=run.state.iteration)
    to_close = [log]
    if args.profile and group.is_main:
        to_close.append(ProfileHook(run.folder / PROFILE_FOLDER, steps=args.profile, device=run.device, log=run.log))
    validate = _validation(run, request)
    steps = {"step": args.save_step, "max_ite": args.max_ite}

    def save_latest() -> None:
        save(run, LATEST_FILE)
        if args.keep_all and run.state.iteration % args.save_step == 0:
            save(run, f"model_ite{run.state.iteration}.pth")

    def save_again() -> None:
        if run.state.validated == run.state.iteration:
            save(run, LATEST_FILE, again=True)

    # Saved before anything is said or validated too: what that fails of, such as a terminal that is gone or a broken
    # mask, is not to cost the steps.
    before, after = SaveHook(save_latest, **steps), SaveHook(save_again, **steps)
    try:
        average = [AverageHook(run.average, run.model, max_ite=args.max_ite)] if run.average is not None else []
        yield validate, [*average, TimeHook(), StopHook(request, group), before, *to_close, forecast, validate, after]
    finally:
        for hook in to_close:
            hook.close()


def _validation(run: Run, request: StopRequest) -> ValidateHook:
    data, args = run.data, run.args
    shown = data.train.showcase(NUM_PICTURES)
    return ValidateHook(
        run.network,
        run.loader(data.selection) if data.selection else None,
        run.device,
        run.log,
        split=data.selection_split or "",
        selected_by=OBJECTIVES[args.mode].selected_by,
        step=args.val_step,
        max_ite=args.max_ite,
        group=run.group,
        request=request,
        on_best=lambda: save(run, BEST_FILE),
        picture=lambda: examples_picture(run.network, shown, shown.names, run.device),
    )
