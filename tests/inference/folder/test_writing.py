import numpy as np
import pytest

from inference.folder.writing import measure_mask


def test_two_parts_one_touching_at_a_corner():
    mask = np.array([[1, 0, 0, 0, 1], [0, 1, 0, 0, 0]], bool)
    probability = np.where(mask, 0.75, 0.25).astype(np.float32)
    probability[0, 4] = 0.9
    shape = measure_mask(mask, probability)
    assert [*shape.values()][:4] == [3, 0.3, 2, 2]
    assert shape["confidence"] == pytest.approx((0.75 + 0.75 + 0.9) / 3)


def test_an_empty_mask_has_no_confidence():
    assert [*measure_mask(np.zeros((2, 3), bool), np.full((2, 3), 0.4)).values()] == [0, 0.0, 0, 0, None]


def test_a_full_mask_is_one_part():
    assert [*measure_mask(np.ones((2, 3), bool), np.ones((2, 3))).values()] == [6, 1.0, 1, 6, 1.0]
