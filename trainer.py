"""The training loop, the same for every method: it is handed the model, the objective and the data."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm import tqdm

from utils.evaluation import ENSEMBLE, Row, evaluate, summarize_rows
from utils.log import RunLog
from utils.reporting import describe_metrics


@dataclass
class TrainState:
    """How far a run is: what resuming needs beside the weights.

    Attributes:
        iteration: steps taken.
        iterations_per_epoch: steps in one pass over the training samples.
        best_performance: mean ensemble Dice of the best validation, or None before the first.
        best_iteration: when that was.
        stopped: set by a hook or a signal to end the run after the current step.
    """

    iterations_per_epoch: int
    iteration: int = 0
    best_performance: float | None = None
    best_iteration: int = 0
    stopped: bool = field(default=False, compare=False)

    @property
    def epoch(self) -> int:
        """The epoch (from 1) of the last step taken."""
        return max(0, self.iteration - 1) // self.iterations_per_epoch + 1


Hook = Callable[[TrainState, dict[str, Tensor], float], None]


def train(
    model: nn.Module,
    objective: Callable[[dict, dict], tuple[Tensor, dict[str, Tensor]]],
    optimizer: torch.optim.Optimizer,
    loader: Iterable[dict],
    *,
    learning_rate: Callable[[int], float],
    state: TrainState,
    device: torch.device,
    autocast: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    scaler: torch.GradScaler | None = None,
    hooks: Sequence[Hook] = (),
) -> None:
    """Take one step for every batch of the loader.

    Args:
        model: maps an image batch to outputs.
        objective: maps outputs and batch to the loss and its detached terms by name.
        optimizer: over the model's parameters; its learning rate is set here.
        loader: yields dicts with ``image`` and what the objective needs, from ``state.iteration`` on.
        learning_rate: from epoch (from 0) to learning rate.
        state: advanced in place.
        device: where the model is.
        autocast, scaler: of mixed precision; see ``utils.devices.precision``.
        hooks: called after every step with the state, the terms and the learning rate.
    """
    scaler = scaler or torch.GradScaler(device.type, enabled=False)
    model.train()
    for batch in loader:
        lr = learning_rate(state.iteration // state.iterations_per_epoch)
        for group in optimizer.param_groups:
            group["lr"] = lr
        batch = {key: x.to(device, non_blocking=True) if isinstance(x, Tensor) else x for key, x in batch.items()}
        with autocast():
            outputs = model(batch["image"])
            loss, terms = objective(outputs, batch)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        state.iteration += 1
        for hook in hooks:
            hook(state, terms, lr)
        if state.stopped:
            break


class LogHook:
    """The progress bar, a log line and TensorBoard scalars every ``step`` iterations.

    Raises:
        ValueError: if the loss is not finite, with the iteration.
    """

    def __init__(self, log: RunLog, *, step: int, max_ite: int, start: int = 0):
        self.log, self.step = log, step
        self.bar = tqdm(total=max_ite, initial=start, unit="it", desc="train", disable=None, dynamic_ncols=True)
        self.since, self.since_iteration = time.monotonic(), start

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        self.bar.update()
        if state.iteration % self.step and state.iteration != 1:
            return
        values = {name: float(value) for name, value in terms.items()}
        if not math.isfinite(values["loss"]):
            raise ValueError(
                f"iteration {state.iteration}: expected a finite loss, found {values}; lower --lr or leave --fp16 out"
            )
        self.bar.set_postfix(loss=f"{values['loss']:.4f}")
        now = time.monotonic()
        per_second = (state.iteration - self.since_iteration) / max(now - self.since, 1e-9)
        self.since, self.since_iteration = now, state.iteration
        listed = ", ".join(f"{name}: {value:.6f}" for name, value in values.items())
        self.log.info(f"[train | Epoch {state.epoch} Ite {state.iteration}] lr: {lr:.6g}, {listed}")
        self.log.scalars("train", {**values, "lr": lr, "iterations_per_second": per_second}, state.iteration)

    def close(self) -> None:
        self.bar.close()


class ValidateHook:
    """Evaluates every ``step`` iterations and at the end, and calls ``on_best`` at each new best mean Dice.

    Args:
        split: what it evaluates on, for the log: ``validation`` or ``test``.
        picture: makes an (H,W,3) uint8 picture of the model's work for TensorBoard.
    """

    def __init__(
        self,
        model: nn.Module,
        loader,
        device: torch.device,
        log: RunLog,
        *,
        split: str,
        step: int,
        max_ite: int,
        on_best: Callable[[], None],
        picture: Callable[[], object] | None = None,
    ):
        self.model, self.loader, self.device, self.log = model, loader, device, log
        self.split, self.step, self.max_ite = split, step, max_ite
        self.on_best, self.picture = on_best, picture
        self.last_rows: list[Row] = []

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        if state.iteration % self.step and state.iteration != self.max_ite:
            return
        if self.picture is not None:
            self.log.picture("train", self.picture(), state.iteration)
        if self.loader is None:
            return
        self.last_rows = evaluate(self.model, self.loader, self.device)
        metrics = summarize_rows(self.last_rows)
        self.log.info(f"[{self.split} | Epoch {state.epoch} Ite {state.iteration}] {describe_metrics(metrics)}")
        for level, values in metrics.items():
            self.log.scalars(f"{self.split}_{level}", values, state.iteration)
        performance = metrics[ENSEMBLE]["dice_mean"]
        if performance is not None and (state.best_performance is None or performance > state.best_performance):
            state.best_performance, state.best_iteration = performance, state.iteration
            self.on_best()


class SaveHook:
    """Saves every ``step`` iterations and at the end."""

    def __init__(self, save: Callable[[], None], *, step: int, max_ite: int):
        self.save, self.step, self.max_ite = save, step, max_ite

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        if state.iteration % self.step == 0 or state.iteration == self.max_ite or state.stopped:
            self.save()


class StopHook:
    """Ends the run after the current step once a stop was asked for; stands before the hook that saves."""

    def __init__(self, request):
        self.request = request

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        state.stopped = state.stopped or bool(self.request)
