"""Learning rates."""

import json
import math
from types import SimpleNamespace

import pytest

from training.schedule import SCHEDULERS, learning_rate, schedule

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


@pytest.mark.parametrize(
    ("max_ite", "iterations_per_epoch", "epochs"), [(15000, 113, 133), (6, 1, 7), (5, 10, 1), (10, 5, 3), (15, 4, 4)]
)
def test_one_rate_an_epoch_of_which_the_first_two_share_theirs(max_ite, iterations_per_epoch, epochs):
    rate = schedule(
        SimpleNamespace(lr_scheduler="cosine", max_ite=max_ite, warmup_ite=0, **RECIPE), iterations_per_epoch
    )
    entries = [learning_rate(max(epoch - 1, 0), total_epochs=epochs, **RECIPE) for epoch in range(epochs)]
    expected = [entries[iteration // iterations_per_epoch] for iteration in range(max_ite)]
    assert [rate(iteration) for iteration in range(max_ite)] == expected


@pytest.mark.parametrize(("key", "epochs", "warmup"), [("total133_warm0", 133, 0), ("total40_warm5", 40, 5)])
def test_golden_learning_rates(golden, key, epochs, warmup):
    expected = json.loads((golden / "meta.json").read_text())["lr"][key]
    ours = [learning_rate(i, total_epochs=epochs, warmup_epochs=warmup, **RECIPE) for i in range(len(expected))]
    assert ours == pytest.approx(expected, rel=1e-9)


def test_one_cycle_goes_by_iterations_up_and_down_again():
    rates = {"lr_scheduler": "onecycle", "max_ite": 8, "warmup_ite": 2, "lr": 1.0, "lr_min": 0.0}
    found = [schedule(SimpleNamespace(**rates), 4)(iteration) for iteration in range(8)]
    assert found == pytest.approx([0.5, 1, *((1 + math.cos(math.pi * i / 6)) / 2 for i in range(1, 7))])
    # Without a number, 15 % of all.
    assert schedule(SimpleNamespace(**rates | {"warmup_ite": 0, "max_ite": 100}), 4)(14) == 1
