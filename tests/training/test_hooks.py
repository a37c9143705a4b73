"""Hooks by themselves, on a model that needs no training."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainer import TrainState
from training.hooks import EmaHook, LogHook, ProfileHook, ValidateHook
from training.settings import Settings
from utils.distributed import SINGLE

CPU = torch.device("cpu")


class Recorder:
    """A log that keeps what it is told."""

    no_bar = True

    def __init__(self):
        self.lines, self.values, self.pictures = [], {}, 0

    def info(self, message):
        self.lines.append(message)

    def scalars(self, group, values, iteration):
        self.values[group, iteration] = values

    def picture(self, tag, picture, iteration):
        self.pictures += 1


class Levels(nn.Module):
    """Two levels: the first finds all foreground of its image (or none either), the second none."""

    def __init__(self, first=10.0):
        super().__init__()
        self.first = first

    def forward(self, x):
        level_logits = torch.stack([x * self.first, torch.full_like(x, -100.0)])
        return {"logits": level_logits.mean(dim=0), "level_logits": level_logits}


def batches(count=2):
    image = torch.tensor([[[[1.0, -1.0], [1.0, -1.0]]]])
    return [{"image": image, "label": [(image[0] > 0).float()], "name": [f"case{i}"]} for i in range(count)]


def a_run(log=None, *, options=None, **parts):
    """What hooks look at of a run: 30 training images, and two cases to validate on."""
    settings = Settings(data="kvasir", root="data", max_ite=10, val_step=3, log_step=2).replace(**options or {})
    usual = {
        "settings": settings, "log": log, "device": CPU, "group": SINGLE, "state": TrainState(iterations_per_epoch=5),
        "data": SimpleNamespace(train=range(30), selection=batches(), selection_split="validation"),
        "network": Levels(), "loader": lambda cases: cases,
    }  # fmt: skip
    return SimpleNamespace(**usual | parts)


def validation(log, request, best=None, model=None, **more):
    run = a_run(log, network=model or Levels(), **more)
    return ValidateHook(run, request, lambda: [] if best is None else best.append(1), picture=lambda: None)


def test_a_collapsed_level_is_reported_by_its_number():
    log = Recorder()
    state = TrainState(iterations_per_epoch=5, iteration=3)
    validation(log, request=False)(state, {}, 0.1)
    assert any("level 2 has collapsed" in line for line in log.lines)
    assert not any("level 1 has collapsed" in line for line in log.lines)
    assert state.validated == 3 and log.values["validation_1", 3]["dice_mean"] == 1


def test_a_collapse_is_reported_when_it_comes_and_not_again():
    log = Recorder()
    hook = validation(log, request=False)
    for iteration in (3, 6):
        hook(TrainState(iterations_per_epoch=5, iteration=iteration), {}, 0.1)
    assert sum("has collapsed" in line for line in log.lines) == 1


def test_a_level_that_has_hardly_begun_has_not_collapsed():
    log = Recorder()
    # It never finds more than half of what it finds: Dice 0.
    hook = validation(log, request=False, model=Levels(-10.0))
    for iteration in (3, 999, 1002, 1005):
        hook(TrainState(iterations_per_epoch=5, iteration=iteration), {}, 0.1)
    told = [line for line in log.lines if "level 2" in line.partition("]")[2][:9]]
    assert [line.partition("; ")[0] for line in told] == [
        "[validation | Ite 3] level 2 finds no foreground on any case yet",
        "[validation | Ite 1002] level 2 has collapsed: no foreground on any case",
    ]
    assert "has to train longer (--max_ite)" in told[0]


@pytest.mark.parametrize(("best_so_far", "better"), [(None, True), (0.0, False), (1e-12, False), (-1e-3, True)])
def test_of_equal_dice_the_first_is_the_best(best_so_far, better):
    best, state = [], TrainState(iterations_per_epoch=5, iteration=3, best_performance=best_so_far, best_iteration=1)
    # The ensemble finds nothing: Dice 0.
    validation(Recorder(), False, best=best).catch_up(state)
    assert (bool(best), state.best_iteration) == ((True, 3) if better else (False, 1))


@pytest.mark.parametrize(("mode", "expected"), [("gaze_sup", 4 / 5), ("full_sup", 2 / 3)])
def test_the_best_is_chosen_by_the_metric_that_the_objective_names(mode, expected):
    """Dice or IoU."""
    state = TrainState(iterations_per_epoch=5, iteration=3)
    # Two of three pixels are found.
    cases = [{**case, "label": [torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])]} for case in batches()]
    options = {"model": Levels(1000.0), "loader": lambda _: cases, "options": {"mode": mode}}
    validation(Recorder(), False, **options).catch_up(state)
    assert state.best_performance == pytest.approx(expected)


class After:
    """True from the n-th look on."""

    def __init__(self, looks):
        self.looks = looks

    def __bool__(self):
        self.looks -= 1
        return self.looks < 0


def test_a_stop_within_a_validation_ends_it_and_it_is_made_up_once():
    best, log = [], Recorder()
    state = TrainState(iterations_per_epoch=5, iteration=3)
    validation(log, After(1), best=best)(state, {}, 0.1)
    assert state.stopped and state.validated == 0 and not best and not log.lines
    state.stopped = False
    hook = validation(log, After(99), best=best)
    hook.catch_up(state)
    hook.catch_up(state)
    assert state.validated == 3 and best == [1] and not state.stopped


@pytest.mark.parametrize(("iteration", "due"), [(0, False), (2, False), (3, True), (10, True)])
def test_validation_is_due_at_its_steps_and_at_the_end(iteration, due):
    best = []
    state = TrainState(iterations_per_epoch=5, iteration=iteration)
    validation(Recorder(), False, best=best).catch_up(state)
    assert bool(best) == due


def test_the_log_counts_images():
    log = Recorder()
    hook = LogHook(a_run(log))
    hook.since -= 3.0
    hook(TrainState(iterations_per_epoch=5, iteration=1), {"loss": torch.tensor(0.5)}, 0.1)
    values = log.values["train", 1]
    # One step of six images in some three seconds.
    assert values["images_per_second"] == pytest.approx(2, abs=0.1)
    assert values["loss"] == 0.5 and values["lr"] == 0.1 and values["memory_gb"] > 0
    assert "images/s, peak" in log.lines[0]


@pytest.mark.parametrize("steps", [4, 9])
def test_a_profile_begins_with_the_fourth_step(tmp_path, steps):
    log = Recorder()
    hook = profiled(log, tmp_path, steps)
    path = tmp_path / "profile" / "trace.json"
    assert log.lines == [f"profile: {path}, {tmp_path / 'profile' / 'operations.txt'}"] and hook.written
    # torch counts steps from 0; what has begun is kept.
    names = {event["name"] for event in json.loads(path.read_text())["traceEvents"]}
    assert {name for name in names if name.startswith("ProfilerStep")} == {"ProfilerStep#3", "ProfilerStep#4"}


def test_a_run_too_short_for_a_profile_says_so(tmp_path):
    log = Recorder()
    profiled(log, tmp_path, 2)
    assert log.lines == ["profile: expected 4 steps or more, the first of which are not traced, found fewer"]
    assert not (tmp_path / "profile").exists()


def profiled(log, folder, steps):
    hook = ProfileHook(a_run(log, options={"profile": 2}, folder=folder))
    for _ in range(steps):
        torch.ones(2).exp()
        hook(TrainState(iterations_per_epoch=5), {}, 0.1)
    hook.close()
    return hook


def test_the_mean_of_weights_begins_in_the_middle():
    model = nn.Linear(1, 1, bias=False)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75), use_buffers=True)
    hook, means = EmaHook(a_run(options={"max_ite": 4}, average=average, model=model)), []
    for iteration in (1, 2, 3, 4):
        model.weight.data.fill_(iteration)
        hook(TrainState(iterations_per_epoch=5, iteration=iteration), {}, 0.1)
        means.append(average.module.weight.item())
    # A copy up to iteration 2; then three quarters of the mean and a quarter of the weight.
    assert means == [1, 2, 2.25, 2.6875]
