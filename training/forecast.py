"""Estimated time of a training (ETA), logged after its first steps."""

import time

from torch import Tensor

from trainer import TrainState
from training.run import Run
from training.settings import Settings

# Steps that are timed, after the first, which warms up.
NUM_TIMED = 5
# Seconds on a CPU beyond which recipes that are made for one are named.
LONG = 3 * 3600
CPU_RECIPES = ("small", "strong")
MINUTE, HOUR, DAY = 60, 3600, 86400


class ForecastHook:
    """Logs the estimated time of the rest of the run, on a CPU after one step, and everywhere after a few more; with
    that of further rounds and seeds (``remaining_work``)."""

    def __init__(self, run: Run):
        self.run, self.start, self.since = run, run.state.iteration, time.monotonic()

    def __call__(self, state: TrainState, terms: dict[str, Tensor], lr: float) -> None:
        steps = state.iteration - self.start
        if steps == 1 and self.run.device.type == "cpu":
            self._say(state, time.monotonic() - self.since)
        elif steps == 1 + NUM_TIMED:
            self._say(state, (time.monotonic() - self.since) / NUM_TIMED)
        if steps == 1:
            self.since = time.monotonic()

    def _say(self, state: TrainState, seconds: float) -> None:
        settings, kind = self.run.settings, "CPU" if self.run.device.type == "cpu" else "GPU"
        left = settings.max_ite - state.iteration
        if not left:
            return
        here, after = left * seconds, settings.work_after / settings.spatial_size**2 * seconds
        text = f"{left:,} iterations at {seconds:.2g} s: about {format_duration(here)} on this {kind}"
        if after:
            text += f"; with the rounds and seeds after it {format_duration(here + after)}"
        if here + after > LONG and kind == "CPU" and settings.recipe not in CPU_RECIPES:
            text += f"; --recipe {' and --recipe '.join(CPU_RECIPES)} are made for a CPU"
        self.run.log.info(text)


def remaining_work(settings: Settings, *, after: int = 0) -> int:
    """Work of the rounds after number ``after``, in iterations times pixels of the network's input, as the time of a
    step is about proportional to its pixels."""
    if after >= settings.rounds:
        return 0
    early = (settings.round_ite or settings.max_ite) * (settings.round_size or settings.spatial_size) ** 2
    return (settings.rounds - 1 - after) * early + settings.max_ite * settings.spatial_size**2


def format_duration(seconds: float) -> str:
    """A duration in a suitable unit, to two digits or so."""
    if seconds < 1.5 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"
