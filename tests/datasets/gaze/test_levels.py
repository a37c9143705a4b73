"""Levels: the released thresholds and the rule behind them."""

import pytest
import torch

from datasets.gaze.levels import check_thresholds, default_thresholds, threshold_levels
from datasets.specs import get_spec

RELEASED = {
    ("kvasir", 1): (0.5,),
    ("kvasir", 2): (0.5, 0.3),
    ("kvasir", 3): (0.5, 0.3, 0.4),
    ("kvasir", 4): (0.5, 0.3, 0.367, 0.433),
    ("kvasir", 5): (0.5, 0.3, 0.35, 0.4, 0.45),
    ("prostate", 2): (0.2, 0.4),
}
BY_RULE = {
    ("prostate", 1): (0.2,),
    ("prostate", 3): (0.2, 0.4, 0.3),
    ("prostate", 4): (0.2, 0.4, 0.267, 0.333),
    ("kvasir", 6): (0.5, 0.3, 0.34, 0.38, 0.42, 0.46),
}


@pytest.mark.parametrize(("data", "num_levels", "expected"), [(*k, v) for k, v in {**RELEASED, **BY_RULE}.items()])
def test_default_thresholds(data, num_levels, expected):
    assert default_thresholds(get_spec(data).end_thresholds, num_levels) == expected


def test_ends_are_taken_as_they_are_given():
    assert default_thresholds((0.0004, 0.6667), 3) == (0.0004, 0.6667, 0.334)


@pytest.mark.parametrize("given", [(0.6,), (0.6, 0.2, 0.4), (0.1, 0.9, 0.5, 0.3333)])
def test_other_than_two_thresholds_are_a_list_of_levels(given):
    for num_levels in range(1, len(given) + 1):
        assert default_thresholds(given, num_levels) == given[:num_levels]
    with pytest.raises(ValueError, match=f"thresholds: expected {len(given) + 1}, one a level, .*--num_levels"):
        default_thresholds(given, len(given) + 1)


def test_a_level_starts_at_its_threshold():
    gaze_map = torch.tensor([[[0.2, 0.3], [0.5, 0.7]]])
    levels = threshold_levels(gaze_map, (0.5, 0.3))
    assert levels.dtype == torch.float32
    assert levels.tolist() == [[[0, 0], [1, 1]], [[0, 1], [1, 1]]]


def test_checked_thresholds_come_back_as_floats():
    assert check_thresholds([1, 0.25]) == (1.0, 0.25)


@pytest.mark.parametrize("thresholds", [[], [0.5, 0], [-0.1], [1.01], [float("nan")]])
def test_wrong_thresholds(thresholds):
    with pytest.raises(ValueError, match="level thresholds: expected one or more numbers above 0 and up to 1, found"):
        check_thresholds(thresholds)
