"""Training from settings to scores: data, model, objective, loop, one evaluation at the end."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import asdict

import torch

from datasets import get_spec
from datasets.loaders import training_loader
from datasets.splits import train_list_sha256
from evaluation.run_names import ARGS_FILE, BEST_FILE, LATEST_FILE, PREVIOUS_FILE
from evaluation.summary import TRAIN_LIST
from inference.scoring import examples_picture
from trainer import TrainState, train
from training.build import build_data, build_run, memory_layout, objective_of
from training.checkpoints import START_SHA256, check_same_start, checkpoint_to_start_from, restore, save
from training.data_options import complete
from training.describe import describe
from training.forecast import ForecastHook
from training.hooks import EmaHook, LogHook, ProfileHook, StopHook, ValidateHook
from training.results import finish
from training.rounds import check_and_clear_folders, remove_rounds, train_rounds
from training.run import Run
from training.run_folder import remove_run
from training.schedule import schedule
from training.seeds import train_seeds
from training.settings import Settings
from training.targets import warn_of_empty_targets
from training.wandb_mirror import check_wandb, wandb_mirror
from utils.devices import autocast_and_scaler, keep_freed_memory, use_cores
from utils.distributed import Group, process_group
from utils.files import write_json
from utils.inputs import sha256_of
from utils.interrupt import STOPPED_CODE, Deadline, StopRequest
from utils.log import NoLog, RunLog

NUM_PICTURES = 3


def fit(settings: Settings) -> int:
    """Train one run, or one a seed, and score it on the test images; results are in the run folder.

    Returns:
        0, or 130 if it was stopped before the end, by Ctrl-C or ``max_minutes``.

    Raises:
        ValueError, OSError: for wrong settings, data or files, before the run folder is touched.
    """
    settings = settings.checked()
    settings = complete(settings, get_spec(settings.data, settings.root))
    if settings.wandb:
        check_wandb()
    deadline = Deadline(settings.max_minutes)
    with process_group(settings.device) as (group, device):
        if settings.batch_size % group.size:
            raise ValueError(
                f"-bs {settings.batch_size}: expected a multiple of {group.size}, the number of processes, which share "
                "each batch; change -bs or --nproc_per_node"
            )
        asked = {"threads": settings.threads, "loaders": settings.num_worker}
        threads, loaders = use_cores(device, **asked, processes=group.on_this_machine)
        settings = settings.replace(threads=threads, num_worker=loaders)
        if device.type == "cpu":
            keep_freed_memory()

        train_alone = functools.partial(train_one, group=group, device=device, deadline=deadline)

        def train_of_seed(one: Settings) -> int:
            return train_rounds(one, train_alone, group, device) if one.makes_labels else train_alone(one)

        if settings.seeds:
            return train_seeds(settings, train_of_seed, group)
        if settings.makes_labels:
            check_and_clear_folders(settings, [settings], group)
        return train_of_seed(settings)


def train_one(settings: Settings, group: Group, device: torch.device, deadline: Deadline) -> int:
    """Train and evaluate one run, of one seed, in all processes of the group; 0, or 130 if stopped before the end."""
    # Errors in data or checkpoint show here, before the run folder is touched.
    data, folder = build_data(settings, group), settings.folder
    start = checkpoint_to_start_from(settings, data)
    run = build_run(settings, data, device, group)
    restore(run, start)
    # All processes have read before one writes.
    check_same_start(run.state.iteration, folder, group)
    if group.is_main:
        if settings.overwrite and settings.makes_labels:
            remove_run(folder)
        elif settings.overwrite:
            # Also those of an earlier run with rounds.
            remove_rounds(settings)
        if start.fell_back:
            # Otherwise the next save would keep the broken one as the previous one.
            (folder / PREVIOUS_FILE).replace(folder / LATEST_FILE)
    with _log(settings, run.state, group) as log:
        run = run._replace(log=log)
        if group.is_main and not (start.resumes and (folder / ARGS_FILE).is_file()):
            facts = {"data_spec": asdict(data.train.spec), "without_map": data.train.without_map}
            # With --resume and nothing to resume, the run begins here.
            facts["resume"] = start.resumes
            facts[TRAIN_LIST] = train_list_sha256(settings.root)
            facts[START_SHA256] = sha256_of(start.path) if start.path and not start.resumes else None
            write_json(folder / ARGS_FILE, settings.flat() | facts)
        describe(run, start.notes)
        stopped_by = _train(run, deadline)
        if stopped_by:
            log.info(
                f"stopped after iteration {run.state.iteration} ({stopped_by}); the same command with --resume "
                "continues, without --overwrite"
            )
        else:
            finish(run)
    # torchrun ends all processes once one has ended with a code other than 0: not while rank 0 writes.
    group.barrier()
    return STOPPED_CODE if stopped_by else 0


@contextlib.contextmanager
def _log(settings: Settings, state: TrainState, group: Group) -> Iterator[RunLog | NoLog]:
    """The log of the run, which the main process alone writes."""
    if not group.is_main:
        yield NoLog()
        return
    redo_from = state.iteration + 1 if settings.resume else None
    mirror = contextlib.nullcontext()
    if settings.wandb:
        mirror = wandb_mirror(
            settings.folder,
            settings.flat(),
            resume=settings.resume,
            is_finished=lambda: state.iteration >= settings.max_ite,
        )
    with mirror, RunLog(settings.folder, redo_from=redo_from) as log:
        yield log


def _train(run: Run, deadline: Deadline) -> str | None:
    """Train to the end or to a stop; returns the reason of a stop, else None."""
    settings, state, group = run.settings, run.state, run.group
    loader = training_loader(
        run.data.train,
        **settings.subset(("batch_size", "max_ite", "seed", "num_worker")),
        start=state.iteration,
        pin_memory=run.device.type == "cuda",
        rank=group.rank,
        size=group.size,
    )

    autocast, _ = autocast_and_scaler(run.amp, run.device)
    with StopRequest(deadline, patient=group.size > 1) as request, _hooks(run, request) as hooks:
        start = state.iteration
        steps_of_first_epoch = min(state.iterations_per_epoch, settings.max_ite - start)
        try:
            train(
                group.wrap(run.model),
                objective_of(settings),
                run.optimizer,
                warn_of_empty_targets(loader, steps_of_first_epoch, run.log.info) if not state.stopped else (),
                state=state,
                device=run.device,
                autocast=autocast,
                scaler=run.scaler,
                hooks=hooks,
                learning_rate=schedule(settings, state.iterations_per_epoch),
                group=group,
                share=loader.batch_sampler.share,
                memory_format=memory_layout(settings, run.device),
                warn=run.log.info,
            )
        except (OSError, ValueError):
            # An image, mask or terminal that is gone must not cost the steps since the last checkpoint.
            if state.iteration > start and not state.in_a_row:
                save(run, LATEST_FILE)
            raise
        # Also a request since the last check. Each process knows only its own.
        return next(filter(None, group.gather(request.reason)), None)


@contextlib.contextmanager
def _hooks(run: Run, request: StopRequest) -> Iterator[list]:
    """All hooks in their order, closed at the end; a validation that a stop has left over is caught up before."""
    settings, shown = run.settings, run.data.train.first_samples(NUM_PICTURES)
    validate = ValidateHook(
        run,
        request,
        on_best=lambda: save(run, BEST_FILE),
        picture=lambda: examples_picture(run.network, shown, run.device),
    )
    # Before other hooks start their clocks.
    if validate.catch_up(run.state):
        # Saved here, as there may be no step left that would.
        save(run, LATEST_FILE)

    def save_latest(state: TrainState, terms: dict, lr: float) -> None:
        due = state.iteration % settings.save_step == 0
        if due or state.iteration == settings.max_ite or state.stopped:
            save(run, LATEST_FILE)
        if due and settings.keep_all:
            save(run, f"model_ite{state.iteration}.pth")

    average = [EmaHook(run)] if run.average is not None else []
    to_close = [LogHook(run), *([ProfileHook(run)] if settings.profile and run.group.is_main else [])]
    try:
        yield [*average, StopHook(request, run.group), *to_close, ForecastHook(run), validate, save_latest]
    finally:
        for hook in to_close:
            hook.close()
