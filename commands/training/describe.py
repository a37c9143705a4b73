"""The first lines of a run's log."""

from __future__ import annotations

import argparse
import platform

import torch

from commands.training.run import Run
from utils.log import code_version


def describe(run: Run) -> None:
    """The first lines of the log: machine, versions, sizes, and what an option does not do here."""
    args, data, log = run.args, run.data, run.log
    parameters = sum(p.numel() for p in run.model.parameters())
    log.info(f"{what_is_trained(args)}; run folder {run.folder}; seed {args.seed}")
    log.info(
        f"device {run.device}, {torch.get_num_threads()} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, code {code_version()}"
    )
    log.info(
        f"{parameters:,} parameters; {len(data.train)} training, "
        f"{len(data.selection) if data.selection else 0} {data.selection_split or 'validation'}, "
        f"{len(data.test) if data.test else 0} test images"
    )
    log.info(data.train.cache_note)
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


def what_is_trained(args: argparse.Namespace) -> str:
    levels = f"{args.num_levels} level{'s' if args.num_levels > 1 else ''}"
    if args.mode == "full_sup":
        return f"full supervision, {levels}"
    return f"gaze, {levels}" + (f", {args.cons_mode} consistency x {args.cons_weight:g}" if args.num_levels > 1 else "")
