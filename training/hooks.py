"""Callbacks (hooks) after a training step: log, stop, validate, save, profile.

Each is called with state, terms and learning rate.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from evaluation.metrics import MEASURES
from evaluation.per_case import ENSEMBLE
from evaluation.scores import collapsed_levels
from evaluation.summary import describe_metrics, summarize
from inference.network_scores import score_network
from losses import OBJECTIVES
from trainer import TrainState
from training.forecast import format_duration
from training.run import Run
from training.run_folder import PROFILE_FOLDER
from utils.devices import peak_memory_gb
from utils.distributed import Group
from utils.files import write_text
from utils.interrupt import StopRequest

# Of a profile: steps that are skipped, and steps that are traced but not kept.
PROFILE_WAIT, PROFILE_WARMUP = 2, 1
NUM_OPERATIONS = 30
# A level without foreground has collapsed after so many iterations, or once any level reaches this Dice; before, it may
# start late: networks first learn that there is little foreground.
BEGUN_ITERATIONS, BEGUN_DICE = 1000, 0.7
# Means over cases that differ by less are equal up to the order of summation in several processes.
SAME_MEAN = 1e-9


class LogHook:
    """The progress bar, a log line and TensorBoard scalars every ``--log_step`` iterations.

    Images a second are the mean since the line before, validations and checkpoints included.
    """

    def __init__(self, run: Run):
        self.run, start = run, run.state.iteration
        total, silent = run.settings.max_ite, run.log.no_bar
        self.bar = tqdm(total=total, initial=start, unit="it", desc="train", disable=silent, dynamic_ncols=True)
        # Of all processes together, on average: the last batch of an epoch may be smaller.
        self.images_a_step = len(run.data.train) / run.state.iterations_per_epoch
        self.since, self.since_iteration = time.monotonic(), start

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        if not self.bar.disable:
            self.bar.set_postfix(loss=f"{float(terms['loss']):.4f}", refresh=False)
            self.bar.update()
        if state.iteration % self.run.settings.log_step and state.iteration != 1:
            return
        values = {name: float(value) for name, value in terms.items()}
        now = time.monotonic()
        per_second = (state.iteration - self.since_iteration) / max(now - self.since, 1e-9)
        self.since, self.since_iteration = now, state.iteration
        left = self.bar.total - state.iteration
        images_per_second, memory = per_second * self.images_a_step, peak_memory_gb(self.run.device)
        listed = ", ".join(f"{name}: {value:.6f}" for name, value in values.items())
        self.run.log.info(
            f"[train | Epoch {state.epoch} Ite {state.iteration}] lr: {lr:.6g}, {listed}, "
            f"{images_per_second:.3g} images/s, peak {memory:.2f} GB"
            + (f", {format_duration(left / per_second)} left" if left and state.iteration > 1 else "")
        )
        speed = {"images_per_second": images_per_second, "iterations_per_second": per_second, "memory_gb": memory}
        # None: no curve of zeros.
        counts = {"skipped_steps": state.skipped or None, "float16_overflows": state.overflows or None}
        self.run.log.scalars("train", {**values, "lr": lr, **speed, **counts}, state.iteration)

    def close(self) -> None:
        """Close the progress bar."""
        self.bar.close()


@dataclass
class EmaHook:
    """Exponential moving average (EMA) of the weights from the middle of the run on; before, a copy of them."""

    run: Run

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        if state.iteration <= self.run.settings.max_ite // 2:
            self.run.average.n_averaged.zero_()
        self.run.average.update_parameters(self.run.model)


@dataclass
class StopHook:
    """Ends the run after the current step once any process was asked to stop; called before the hook that saves."""

    request: StopRequest
    group: Group

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        state.stopped = self.group.any(bool(self.request)) or state.stopped


@dataclass
class ValidateHook:
    """Evaluates every ``--val_step`` iterations and at the end, and calls ``on_best`` at each new best mean.

    Of equal ones the first is the best, also of 0; where no case has a value, there is none. A run that was stopped
    before or in a validation catches it up when it is resumed (``catch_up``).

    Args:
        request: checked between batches, where there is one process.
        picture: makes an (H,W,3) uint8 picture of the model's work for TensorBoard.
    """

    run: Run
    request: StopRequest
    on_best: Callable[[], None]
    picture: Callable[[], object]

    def __post_init__(self):
        self.loader = self.run.loader(self.run.data.selection) if self.run.data.selection else None
        self.selected_by = OBJECTIVES[self.run.settings.mode].selected_by
        self.measure = MEASURES[self.selected_by]
        self.highest = 0.0  # mean Dice of any level so far
        self.empty: dict[str, bool] = {}  # levels without foreground in the last validation; whether training had begun

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        if not state.stopped:
            self.catch_up(state)

    def catch_up(self, state: TrainState) -> bool:
        """Validate if that is due at the state's iteration and was not done; whether it was done now."""
        run, iteration = self.run, state.iteration
        due = iteration and (iteration % run.settings.val_step == 0 or iteration == run.settings.max_ite)
        if not due or state.validated == iteration:
            return False
        if self.loader is not None:
            stop = self.request if run.group.size == 1 else None
            network = f"the network at iteration {iteration}"
            options = {"group": run.group, "stop": stop, "network": network, "distances": self.measure.of is None}
            table = score_network(run.network, self.loader, run.device, **options)
            if table is None:
                state.stopped = True
                return False
            self._judge(table, state)
        state.validated = iteration
        if run.group.is_main:
            run.log.picture("train", self.picture(), iteration)
        return True

    def _judge(self, table: pd.DataFrame, state: TrainState) -> None:
        metrics, split, log = summarize(table), self.run.data.selection_split, self.run.log
        log.info(f"[{split} | Epoch {state.epoch} Ite {state.iteration}] {describe_metrics(metrics)}")
        for level, values in metrics.items():
            # The number of cases is the same each time, and no curve.
            curves = {name: value for name, value in values.items() if name != "num_cases"}
            log.scalars(f"{split}_{level}", curves, state.iteration)
        self._tell_of_empty_levels(table, metrics, state)
        performance, best = metrics[ENSEMBLE].get(f"{self.selected_by}_mean"), state.best_performance
        sign = 1 if self.measure.larger_is_better else -1
        if performance is not None and (best is None or sign * (performance - best) > SAME_MEAN):
            state.best_performance, state.best_iteration = performance, state.iteration
            self.on_best()

    def _tell_of_empty_levels(self, table: pd.DataFrame, metrics: dict[str, dict], state: TrainState) -> None:
        """Log when a level predicts no foreground: once while it may start late, and once when it has collapsed."""
        self.highest = max([self.highest, *(entry["dice_mean"] or 0.0 for entry in metrics.values())])
        begun = state.iteration >= BEGUN_ITERATIONS or self.highest >= BEGUN_DICE
        advice = "finds no foreground on any case yet; most likely it has to train longer (--max_ite)"
        if begun:
            advice = (
                "has collapsed: no foreground on any case; look at its pseudo-masks (gaze/per_image.csv), lower --lr, "
                "or start otherwise (--init, --seed)"
                + (", or keep its logits from ruining the mean (--ensemble probs)" if len(metrics) > 2 else "")
            )
        empty = dict.fromkeys(collapsed_levels(table), begun)
        for level in sorted(empty):
            if self.empty.get(level) != begun:
                split = self.run.data.selection_split
                self.run.log.info(f"[{split} | Ite {state.iteration}] level {level} {advice}")
        self.empty = empty


class ProfileHook:
    """Traces ``--profile`` steps with torch's profiler, from the fourth on.

    Writes ``trace.json`` (for chrome://tracing or https://ui.perfetto.dev) and ``operations.txt``, the operations that
    took longest, into the folder ``profile`` of the run.
    """

    def __init__(self, run: Run):
        self.run, self.written = run, False
        steps = run.settings.profile
        self.profiler = torch.profiler.profile(
            schedule=torch.profiler.schedule(wait=PROFILE_WAIT, warmup=PROFILE_WARMUP, active=steps, repeat=1),
            on_trace_ready=self._write,
            profile_memory=True,
            acc_events=True,
        )
        self.profiler.start()

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        self.profiler.step()

    def close(self) -> None:
        """End the trace; one that has begun is written."""
        self.profiler.stop()
        if not self.written:
            first = PROFILE_WAIT + PROFILE_WARMUP + 1
            self.run.log.info(
                f"profile: expected {first} steps or more, the first of which are not traced, found fewer"
            )

    def _write(self, profiler: torch.profiler.profile) -> None:
        self.written, folder = True, self.run.folder / PROFILE_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(folder / "trace.json"))
        by = f"self_{self.run.device.type}_time_total"
        write_text(folder / "operations.txt", profiler.key_averages().table(sort_by=by, row_limit=NUM_OPERATIONS))
        self.run.log.info(f"profile: {folder / 'trace.json'}, {folder / 'operations.txt'}")
