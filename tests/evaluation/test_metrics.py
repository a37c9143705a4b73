"""Metrics by counting pixels."""

import math

import numpy as np
import pytest
import torch

from evaluation.metrics import Counts, count, dice, iou, overlaps, precision, recall

PREDICTION = np.array([[True, True, False, False]])
TARGET = np.array([[True, False, True, False]])


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_one_pixel_of_each_kind(convert):
    counts = count(convert(PREDICTION), convert(TARGET))
    assert counts == Counts(tp=1, fp=1, fn=1, tn=1)
    assert all(type(value) is int for value in counts)
    assert dice(counts) == pytest.approx(2 / 4)
    assert iou(counts) == pytest.approx(1 / 3)
    assert precision(counts) == recall(counts) == 1 / 2


def test_precision_is_of_the_prediction_and_recall_of_the_target():
    counts = Counts(tp=6, fp=2, fn=18, tn=0)
    assert (precision(counts), recall(counts)) == (6 / 8, 6 / 24)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_masked_pixels_are_left_out(convert):
    mask = convert(np.array([[True, False, True, True]]))
    assert count(convert(PREDICTION), convert(TARGET), mask) == Counts(tp=1, fp=0, fn=1, tn=1)


@pytest.mark.parametrize(("predicted", "true"), [(True, False), (False, True)])
def test_one_of_the_two_is_empty(predicted, true):
    counts = count(np.full((2, 2), predicted), np.full((2, 2), true))
    assert list(overlaps(counts).values()) == [0, 0, 0, 0]


def test_both_empty_is_not_a_number():
    counts = count(np.zeros((2, 2), bool), np.zeros((2, 2), bool))
    assert counts == Counts(0, 0, 0, 4)
    assert all(map(math.isnan, overlaps(counts).values()))


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


@pytest.mark.filterwarnings("ignore")  # of MONAI's own
def test_equal_to_monai_on_random_pairs():
    metrics = pytest.importorskip("monai.metrics", reason="needs MONAI (requirements-test.txt)")
    rng = np.random.default_rng(0)
    for _ in range(1000):
        height, width = rng.integers(1, 40, 2)
        masks = [rng.random((height, width)) < rng.uniform(0, 1) ** 3 for _ in range(2)]
        counts = count(*masks)
        pair = [torch.from_numpy(mask)[None, None].float() for mask in masks]
        if not counts.tp + counts.fp + counts.fn:
            assert all(map(math.isnan, overlaps(counts).values()))
            continue
        matrix = metrics.get_confusion_matrix(*pair)
        expected = {
            "dice": metrics.compute_dice(*pair, ignore_empty=False),
            "iou": metrics.compute_iou(*pair, ignore_empty=False),
            "precision": metrics.compute_confusion_matrix_metric("precision", matrix),
            "recall": metrics.compute_confusion_matrix_metric("recall", matrix),
        }
        # MONAI has no precision of an empty prediction, no recall of an empty target; ours is 0.
        known = {name: 0.0 if value.isnan() else float(value) for name, value in expected.items()}
        assert overlaps(counts) == pytest.approx(known, rel=1e-5)
