"""Metrics by counting pixels."""

import math

import numpy as np
import pytest
import torch

from utils.metrics import Counts, count, dice, iou

PREDICTION = np.array([[True, True, False, False]])
TARGET = np.array([[True, False, True, False]])


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_one_pixel_of_each_kind(convert):
    counts = count(convert(PREDICTION), convert(TARGET))
    assert counts == Counts(tp=1, fp=1, fn=1, tn=1)
    assert all(type(value) is int for value in counts)
    assert dice(counts) == pytest.approx(2 / 4)
    assert iou(counts) == pytest.approx(1 / 3)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_masked_pixels_are_left_out(convert):
    mask = convert(np.array([[True, False, True, True]]))
    assert count(convert(PREDICTION), convert(TARGET), mask) == Counts(tp=1, fp=0, fn=1, tn=1)


def test_equal_masks():
    counts = count(TARGET, TARGET)
    assert dice(counts) == iou(counts) == 1


def test_disjoint_masks():
    counts = count(~TARGET, TARGET)
    assert dice(counts) == iou(counts) == 0


@pytest.mark.parametrize(("predicted", "true"), [(True, False), (False, True)])
def test_one_of_the_two_is_empty(predicted, true):
    counts = count(np.full((2, 2), predicted), np.full((2, 2), true))
    assert dice(counts) == iou(counts) == 0


def test_both_empty_is_not_a_number():
    counts = count(np.zeros((2, 2), bool), np.zeros((2, 2), bool))
    assert counts == Counts(0, 0, 0, 4)
    assert math.isnan(dice(counts)) and math.isnan(iou(counts))


def test_large_mask_does_not_overflow():
    full = np.ones((1000, 1000), bool)
    assert count(full, full).tp == 1_000_000


def test_different_shapes():
    with pytest.raises(ValueError, match=r"expected equal shapes, found \(1, 4\) and \(4,\)"):
        count(PREDICTION, TARGET[0])


def test_golden_dice_and_iou(golden):
    with np.load(golden / "losses_metrics.npz") as expected:
        predictions, targets = expected["logits"] > 0, expected["target"] > 0.5
        for index in range(3):
            counts = count(predictions[index], targets[index])
            masked = count(predictions[index], targets[index], expected["mask"][index] > 0.5)
            assert dice(counts) == pytest.approx(expected["dice"][index], rel=1e-5)
            assert iou(counts) == pytest.approx(expected["iou"][index], rel=1e-5)
            assert dice(masked) == pytest.approx(expected["dice_masked"][index], rel=1e-5)
