"""Learning rates."""

import json
import math
from types import SimpleNamespace

import pytest

from training.schedule import (
    SCHEDULERS,
    epoch_learning_rate,
    iteration_learning_rate,
    learning_rate,
    schedule_of,
    total_epochs,
)

RECIPE = {"lr": 1e-2, "lr_min": 1e-4}


@pytest.mark.parametrize(
    ("scheduler", "middle"), [("cosine", 0.55), ("linear", 0.55), ("poly", 0.1 + 0.9 * 0.5**0.9), ("constant", 1.0)]
)
def test_halfway(scheduler, middle):
    # Entry 1 of 4 is 2 / 4 of the way.
    lr = learning_rate(1, scheduler=scheduler, lr=1.0, lr_min=0.1, total_epochs=4)
    assert lr == pytest.approx(middle)


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_last_entry_is_the_minimum_and_later_ones_stay(scheduler):
    expected = 1.0 if scheduler == "constant" else 0.1
    for index in (9, 10, 50):
        lr = learning_rate(index, scheduler=scheduler, lr=1.0, lr_min=0.1, total_epochs=10)
        assert lr == pytest.approx(expected)


def test_cosine_is_the_default():
    assert learning_rate(0, total_epochs=4, **RECIPE) == learning_rate(0, scheduler="cosine", total_epochs=4, **RECIPE)


def test_warm_up_rises_in_even_steps():
    rates = [learning_rate(i, lr=1.0, lr_min=0.1, total_epochs=8, warmup_epochs=4) for i in range(4)]
    assert rates == [0.25, 0.5, 0.75, 1.0]


def test_only_warm_up():
    rates = [learning_rate(i, lr=1.0, lr_min=0.1, total_epochs=2, warmup_epochs=2) for i in range(3)]
    assert rates == pytest.approx([0.5, 1.0, 0.1])


def test_the_first_two_epochs_share_a_learning_rate():
    entries = [learning_rate(i, total_epochs=7, **RECIPE) for i in range(3)]
    epochs = [epoch_learning_rate(i, total_epochs=7, **RECIPE) for i in range(4)]
    assert epochs == [entries[0], *entries]


@pytest.mark.parametrize(
    ("max_ite", "iterations_per_epoch", "epochs"), [(15000, 113, 133), (6, 1, 7), (5, 10, 1), (10, 5, 3)]
)
def test_total_epochs(max_ite, iterations_per_epoch, epochs):
    assert total_epochs(max_ite, iterations_per_epoch) == epochs


@pytest.mark.parametrize(("key", "epochs", "warmup"), [("total133_warm0", 133, 0), ("total40_warm5", 40, 5)])
def test_golden_learning_rates(golden, key, epochs, warmup):
    expected = json.loads((golden / "meta.json").read_text())["lr"][key]
    ours = [learning_rate(i, total_epochs=epochs, warmup_epochs=warmup, **RECIPE) for i in range(len(expected))]
    assert ours == pytest.approx(expected, rel=1e-9)


def test_one_cycle_goes_by_iterations_up_and_down_again():
    rates = {"lr_scheduler": "onecycle", "max_ite": 8, "warmup_ite": 2, "lr": 1.0, "lr_min": 0.0}
    schedule = schedule_of(SimpleNamespace(**rates), 4)
    found = [iteration_learning_rate(i, 4, schedule) for i in range(8)]
    assert found == pytest.approx([0.5, 1, *((1 + math.cos(math.pi * i / 6)) / 2 for i in range(1, 7))])
    assert schedule_of(SimpleNamespace(**rates | {"warmup_ite": 0, "max_ite": 100}), 4)["warmup_epochs"] == 15


def test_other_schedules_go_by_epochs():
    settings = SimpleNamespace(lr_scheduler="cosine", max_ite=15, warmup_ite=0, lr=1e-2, lr_min=1e-4)
    schedule = schedule_of(settings, 4)
    for iteration in range(15):
        expected = epoch_learning_rate(iteration // 4, lr=1e-2, lr_min=1e-4, total_epochs=total_epochs(15, 4))
        assert iteration_learning_rate(iteration, 4, schedule) == expected
