"""Distances between boundaries: by hand, and against MONAI."""

import math

import cv2
import numpy as np
import pytest
import torch

from evaluation.distances import boundary_distances

NUM_PAIRS = 300


def _mask(*rows):
    return np.array([[c == "#" for c in row] for row in rows])


ONE = _mask("#....", ".....", ".....")


def test_equal_masks():
    assert boundary_distances(ONE, ONE) == (0, 0)


def test_two_pixels_five_apart():
    other = _mask(".....", ".....", ".....", "....#")
    assert boundary_distances(np.vstack([ONE, ONE[1:2]]), other) == (5, 5)


def test_two_pixels_with_a_spacing():
    other = _mask(".....", "..#..", ".....")
    assert boundary_distances(ONE, other, (3.0, 2.0)) == (5, 5)


def test_mean_of_both_directions_and_the_larger_percentile():
    # To the other: 0; back: 0 and 4.
    found = boundary_distances(_mask("#...."), _mask("#...#"))
    assert found.assd == pytest.approx(4 / 3)
    assert found.hd95 == pytest.approx(0.95 * 4)


def test_the_inside_of_a_mask_does_not_count():
    ring = np.ones((5, 5), bool)
    ring[2, 2] = False
    # The hole's pixel is no boundary of the full square; the four around it are one of the ring, 1 from the border.
    found = boundary_distances(ring, np.ones((5, 5), bool))
    assert found.assd == pytest.approx(4 * 1 / (16 + 4 + 16))


def test_the_border_of_the_image_is_a_boundary():
    assert boundary_distances(np.ones((3, 4), bool), np.ones((3, 4), bool)) == (0, 0)


@pytest.mark.parametrize("swapped", [False, True])
def test_one_empty_mask_is_as_far_as_the_diagonal(swapped):
    masks = [ONE, np.zeros_like(ONE)]
    found = boundary_distances(*(masks[::-1] if swapped else masks), (4 / 3, 0.6))
    assert found == (pytest.approx(5), pytest.approx(5))


def test_two_empty_masks_have_no_distance():
    found = boundary_distances(np.zeros((2, 2), bool), np.zeros((2, 2), bool))
    assert math.isnan(found.hd95) and math.isnan(found.assd)


def test_different_shapes():
    with pytest.raises(ValueError, match=r"expected equal shapes, found \(3, 5\) and \(2, 5\)"):
        boundary_distances(ONE, ONE[:2])


def _blob(rng, height, width):
    """From one smooth patch to noise, from a few pixels to nearly all."""
    smooth = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), rng.uniform(0.5, 6))
    return smooth >= np.quantile(smooth, rng.uniform(0.05, 1))


@pytest.mark.filterwarnings("ignore")  # of MONAI's own
def test_equal_to_monai_on_random_pairs():
    metrics = pytest.importorskip("monai.metrics", reason="needs MONAI (requirements-test.txt)")
    rng = np.random.default_rng(0)
    for number in range(NUM_PAIRS):
        height, width = rng.integers(3, 50, 2)
        masks = [_blob(rng, height, width) for _ in range(2)]
        spacing = tuple(map(float, rng.uniform(0.3, 3, 2))) if number % 2 else (1.0, 1.0)
        pair = [torch.from_numpy(mask)[None, None].float() for mask in masks]
        common = {"include_background": True, "spacing": list(spacing)}
        hd95 = float(metrics.compute_hausdorff_distance(*pair, percentile=95, **common))
        assd = float(metrics.compute_average_surface_distance(*pair, symmetric=True, **common))
        found = boundary_distances(*masks, spacing)
        assert found == (pytest.approx(hd95, rel=1e-5, abs=1e-6), pytest.approx(assd, rel=1e-5, abs=1e-6)), number
