import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import default_collate

from datasets import build_dataset
from losses import OBJECTIVES
from models import build_model
from trainer import MAX_OVERFLOWS, MAX_SKIPPED, TrainState, train
from training.hooks import StopHook
from training.schedule import schedule
from utils.distributed import SINGLE

CPU = torch.device("cpu")


@pytest.mark.parametrize("cons_mode", ["prop", "pure"])
def test_golden_trajectory_of_six_steps(golden, seeded_weights, cons_mode):
    logged = json.loads((golden / "meta.json").read_text())[f"trajectory_{cons_mode}"][:6]
    expected = [[float(value) for value in re.findall(r": ([-\d.e]+)", line.split("] ")[1])] for line in logged]
    model = build_model("unet", in_channels=3, num_levels=2, cons_mode=cons_mode)
    seeded_weights(model)
    root = golden / "kvasir_root"
    dataset = build_dataset("kvasir", root=root, split="train", spatial_size=64, num_levels=2, augment=False)
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=1e-2, momentum=0.99, nesterov=True, weight_decay=4e-4
    )
    found = []
    train(
        model,
        OBJECTIVES["gaze_sup"](cons_mode=cons_mode, cons_weight=3),
        optimizer,
        [default_collate([dataset[index] for index in range(len(dataset))])] * 6,
        learning_rate=schedule(
            SimpleNamespace(lr_scheduler="cosine", lr=1e-2, lr_min=1e-4, max_ite=6, warmup_ite=0),
            iterations_per_epoch=1,
        ),
        state=TrainState(iterations_per_epoch=1),
        device=CPU,
        hooks=[lambda state, terms, lr: found.append([lr, *map(float, terms.values())])],
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    after = np.load(golden / f"trajectory_{cons_mode}_after6.npz")
    with torch.no_grad():
        outputs = model.eval()(torch.tensor(after["x"]))
    scale = np.abs(after["logits"]).max()
    for found_logits, name in zip((outputs["logits"], *outputs["level_logits"]), ("", "_1", "_2"), strict=True):
        np.testing.assert_allclose(found_logits, after[f"logits{name}"], rtol=1e-4, atol=1e-4 * scale)


class OneWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return {"logits": x * self.weight}


def linear_objective(outputs, batch):
    loss = outputs["logits"].sum()
    return loss, {"loss": loss.detach()}


def run(loader, state, hooks=(), rates=None):
    model = OneWeight()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    learning_rate = (rates or [0.1] * 9).__getitem__  # by steps taken
    train(
        model, linear_objective, optimizer, loader, learning_rate=learning_rate, state=state, device=CPU, hooks=hooks
    )  # fmt: skip
    return model.weight.item()


def test_each_step_has_its_learning_rate():
    batches = [{"image": torch.ones(1)}] * 4
    state = TrainState(iterations_per_epoch=2)
    # Gradient 1 in every step.
    assert run(batches, state, rates=[0.1, 0.1, 0.01, 0.01]) == pytest.approx(1 - 0.2 - 0.02)
    assert (state.iteration, state.epoch) == (4, 2)


def test_a_stop_ends_the_run_after_the_step():
    told, state = [], TrainState(iterations_per_epoch=9)
    request = [False]

    class Request:
        def __bool__(self):
            return request[0]

    def ask(state, terms, lr):
        request[0] = state.iteration == 3

    hooks = [ask, StopHook(Request(), SINGLE), lambda state, terms, lr: told.append(state.stopped)]
    run([{"image": torch.ones(1)}] * 8, state, hooks)
    assert state.iteration == 3
    assert told == [False, False, True]


class Unsteady(nn.Module):
    """Weight times image; the image of value 2 gives an infinite loss, that of value 3 an infinite gradient alone."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        value = float(x.flatten()[0])
        if value == 3:
            self.weight.register_hook(lambda grad: grad * math.inf) if self.weight.requires_grad else None
        return {"logits": x * self.weight * (math.inf if value == 2 else 1)}


def unsteady_run(values, warnings):
    model, state = Unsteady(), TrainState(iterations_per_epoch=100)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = [{"image": torch.tensor([value]), "name": [f"case{value:g}"]} for value in values]
    try:
        train(
            model, linear_objective, optimizer, batches, learning_rate=lambda epoch: 0.1, state=state, device=CPU,
            warn=warnings.append,
        )  # fmt: skip
    finally:
        model.state, model.final = state, model.weight.item()
    return model


def test_a_step_without_a_finite_loss_is_skipped_counted_and_named():
    warnings = []
    model = unsteady_run([1.0, 2.0, 1.0], warnings)
    # Gradient 1 at a rate of 0.1, twice.
    assert model.final == pytest.approx(0.8)
    assert (model.state.iteration, model.state.skipped, model.state.in_a_row) == (3, 1, 0)
    assert warnings == [
        "iteration 2: expected a finite loss, found loss inf; step skipped (1 in a row of at most 10); samples: case2"
    ]


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    warnings = []
    model = unsteady_run([1.0, 3.0], warnings)
    assert model.final == pytest.approx(0.9)
    assert model.state.skipped == 1 and "found a gradient that is not finite" in warnings[0]


def test_a_bounded_number_of_skipped_steps_ends_the_run():
    warnings = []
    with pytest.raises(ValueError, match=r"iteration 11: .* found loss inf, the 10th step in a row .* samples: case2;"):
        unsteady_run([1.0] + [2.0] * 20, warnings)
    assert len(warnings) == MAX_SKIPPED - 1


def test_overflows_without_end_end_the_run():
    model, state, warnings = OneWeight(), TrainState(iterations_per_epoch=100), []
    # Halved fifty times it is 2**77 still, and 2**77 times 2**60 overflows.
    scaler = torch.GradScaler("cpu", init_scale=2.0**127, growth_interval=1000)
    batches = [{"image": torch.tensor([2.0**60]), "name": ["a"]}] * 60
    with pytest.raises(ValueError, match="iteration 50: .* float16 overflow .*, the 50th step in a row .* samples: a;"):
        train(
            model, linear_objective, torch.optim.SGD(model.parameters(), lr=0.1), batches, state=state, device=CPU,
            learning_rate=lambda epoch: 0.1, scaler=scaler, warn=warnings.append,
        )  # fmt: skip
    assert (state.overflows, state.skipped, len(warnings)) == (MAX_OVERFLOWS, 0, 1)
    assert model.weight.item() == 1


def test_overflows_and_losses_that_are_not_finite_have_bounds_of_their_own():
    model, state = OneWeight(), TrainState(iterations_per_epoch=100)
    scaler = torch.GradScaler("cpu", init_scale=2.0**127, growth_interval=1000)
    values = [2.0**60] * (MAX_SKIPPED + 2) + [math.nan]
    train(
        model, linear_objective, torch.optim.SGD(model.parameters(), lr=0.1),
        [{"image": torch.tensor([value]), "name": ["a"]} for value in values],
        state=state, device=CPU, learning_rate=lambda epoch: 0.1, scaler=scaler,
    )  # fmt: skip
    assert (state.overflows, state.skipped, state.skipped_in_a_row) == (MAX_SKIPPED + 2, 1, 1)


def test_a_float16_overflow_is_skipped_counted_and_lowers_the_scale():
    model, state, warnings = OneWeight(), TrainState(iterations_per_epoch=100), []
    scaler = torch.GradScaler("cpu", init_scale=2.0**127, growth_interval=1000)
    # 2**127 times 4 overflows, twice; then 2**125 does not.
    batches = [{"image": torch.tensor([4.0]), "name": ["a"]}] * 3
    train(
        model, linear_objective, torch.optim.SGD(model.parameters(), lr=0.1), batches, learning_rate=lambda epoch: 0.1,
        state=state, device=CPU, scaler=scaler, warn=warnings.append,
    )  # fmt: skip
    assert (state.overflows, state.skipped, state.in_a_row) == (2, 0, 0)
    assert scaler.get_scale() == 2.0**125
    assert model.weight.item() == pytest.approx(1 - 0.1 * 4)
    assert len(warnings) == 1 and "float16 overflow" in warnings[0]


class Normalised(nn.Module):
    """Batch normalisation, whose statistics an infinite image makes infinite."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)

    def forward(self, x):
        return {"logits": self.norm(x)}


def test_a_skipped_step_leaves_no_statistics_behind():
    model, state, warnings = Normalised(), TrainState(iterations_per_epoch=100), []
    batches = [{"image": torch.tensor([[2.0], [4.0]])}, {"image": torch.tensor([[2.0], [math.inf]])}]
    train(
        model, linear_objective, torch.optim.SGD(model.parameters(), lr=0.1), batches, learning_rate=lambda epoch: 0.1,
        state=state, device=CPU, warn=warnings.append,
    )  # fmt: skip
    assert state.skipped == 1
    # A tenth of the way from 0 to the first batch's mean of 3.
    assert model.norm.running_mean.item() == pytest.approx(0.3)
    assert model.norm.num_batches_tracked.item() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_losses_are_computed_in_float32(dtype):
    """A sum over 300x300 pixels overflows float16, and Dice would learn nothing."""
    model, state, found = nn.Conv2d(1, 1, 1), TrainState(iterations_per_epoch=100), []
    nn.init.constant_(model.weight, 8.0), nn.init.zeros_(model.bias)
    objective = OBJECTIVES["gaze_sup"](seg_loss="dice")

    class Level(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = model

        def forward(self, x):
            logits = self.conv(x)
            assert logits.dtype == dtype
            return {"level_logits": logits[None]}

    train(
        Level(), objective, torch.optim.SGD(model.parameters(), lr=0.1),
        [{"image": torch.ones(1, 1, 300, 300), "pseudo": torch.ones(1, 1, 300, 300)}],
        learning_rate=lambda epoch: 0.1, state=state, device=CPU,
        autocast=lambda: torch.autocast("cpu", dtype=dtype),
        hooks=[lambda state, terms, lr: found.append(terms["loss"].item())],
    )  # fmt: skip
    # With p = sigmoid(8) everywhere and a target of 1: 1 - 2p / (p + 1).
    p = 1 / (1 + math.exp(-8))
    assert found == [pytest.approx(1 - 2 * p / (p + 1), rel=1e-3)]


def test_the_share_of_a_process_weighs_its_loss():
    model, state = OneWeight(), TrainState(iterations_per_epoch=100)
    batches = [{"image": torch.ones(1)}] * 2
    train(
        model, linear_objective, torch.optim.SGD(model.parameters(), lr=1.0), batches, learning_rate=lambda epoch: 0.1,
        state=state, device=CPU, share=lambda iteration: [1.0, 0.5][iteration],
    )  # fmt: skip
    assert model.weight.item() == pytest.approx(1 - 0.1 - 0.05)
