"""Description of a run: the first lines of its log, and its method in a few words."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from datasets.splits import has_validation_file
from evaluation.run_names import ARGS_FILE
from losses.objectives import learns_from_gaze
from models.multi_level import describe_ensemble
from training.build import memory_layout, objective_of
from training.run import Run
from training.schedule import schedule
from training.settings import Settings
from utils.devices import device_name, has_bfloat16
from utils.log import code_version


def describe(run: Run, notes: Sequence[str]) -> None:
    """Log the first lines: method, machine, versions, sizes, options without effect, and further notes."""
    settings, data, log = run.settings, run.data, run.log
    parameters = sum(p.numel() for p in run.model.parameters())
    validation = data.selection if data.selection_split == "validation" else ()
    processes = "" if run.group.size == 1 else f"{run.group.size} processes, each with "
    log.info(f"{what_is_trained(settings)}; run folder {run.folder}; seed {settings.seed}")
    log.info(
        f"device {device_name(run.device)}, {processes}{_counted(torch.get_num_threads(), 'thread')}, "
        f"{_counted(settings.num_worker, 'loader process', 'es')}, Python {platform.python_version()}, torch "
        f"{torch.__version__}, code {code_version()}"
    )
    log.info(_computation(run))
    log.info(
        f"{parameters:,} parameters; {len(data.train)} training, {len(validation)} validation, {len(data.test or ())} "
        "test images"
    )
    if data.train.without_map:
        log.info(data.train.describe_left_out(ARGS_FILE))
    log.info(data.train.cache_note)
    for note in (*_notes(run), *notes):
        log.info(note)


def _notes(run: Run) -> Iterator[str]:
    """Notes on options and splits that are without effect, or work otherwise, in this run."""
    settings, data = run.settings, run.data
    if data.selection_split == "test":
        yield (
            "the best checkpoint is chosen on the test set, as released; --val_fraction or val.txt keeps a split apart"
        )
    for split, is_evaluated in (
        ("val", data.selection_split == "validation" or settings.select == "last"),
        ("test", data.test is not None or not settings.is_last_round),
    ):
        if not is_evaluated and (listed := Path(settings.root, f"{split}.txt")).is_file():
            yield f"{listed}: no image has a mask of its name in masks/: nothing will be evaluated on it"
    if settings.select == "last" and (settings.val_fraction or has_validation_file(settings.root)):
        yield "validation images are kept apart, and --select last does not look at them; evaluate --split val does"
    rate = schedule(settings, run.state.iterations_per_epoch)(0)
    if settings.lr_scheduler != "onecycle" and settings.max_ite < run.state.iterations_per_epoch and rate < settings.lr:
        yield "fewer iterations than an epoch: the learning rate is --lr_min; --lr_scheduler onecycle does without"
    if settings.fixations and learns_from_gaze(settings.mode) and settings.pseudo == "levels":
        yield "--fixations is not read with --pseudo levels: the gaze maps that are there count (run.py prepare)"
    if run.group.size > 1 and any(isinstance(m, torch.nn.BatchNorm2d) for m in run.model.modules()):
        yield (
            "batch normalisation sees each process's part of the batch alone, as it cannot be synchronised on a CPU: "
            "results depend on the number of processes"
        )
    devices = str(settings.device).split(",")
    if len(devices) > 1 and run.group.size == 1:
        yield (
            f"--device {settings.device}: a process computes on one GPU, here the first; on all of them, without "
            f"--device: CUDA_VISIBLE_DEVICES={settings.device} torchrun --nproc_per_node {len(devices)} run.py ..."
        )
    if settings.finalize:
        yield "--finalize does nothing here: every run is evaluated at its end"


def _counted(number: int, noun: str, ending: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else ending}"


def _computation(run: Run) -> str:
    settings, amp = run.settings, run.amp
    parts = {"off": "float32", "bf16": "bfloat16 autocast", "fp16": "float16 autocast with scaled gradients"}[amp]
    if amp == "bf16" and not has_bfloat16(run.device):
        parts += f" (which this {run.device.type} only emulates, some ten times slower: --amp auto takes float32 then)"
    options = [name for name in ("compile", "checkpoint_levels", "deterministic") if getattr(settings, name)]
    layout = ["channels_last"] if memory_layout(settings, run.device) is torch.channels_last else []
    return ", ".join(["computes in " + parts, *layout, *options])


def what_is_trained(settings: Settings) -> str:
    """The method in a few words, for tables: supervision, levels, consistency, and an ensemble other than released."""
    objective = objective_of(settings)
    masks = f" and {settings.masks} masks" if settings.masks else ""
    parts = [
        f"{settings.masks} masks" if settings.pseudo == "network" else f"{objective.source}{masks}",
        f", {_counted(settings.num_levels, 'level')}",
        objective.describe(settings.num_levels),
        f", labels by {settings.pseudo}" if settings.pseudo != "levels" else "",
        f", {settings.rounds} rounds" if settings.rounds > 1 else "",
        describe_ensemble(settings.ensemble),
    ]
    return "".join(parts)
