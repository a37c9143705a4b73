"""Transforms on arrays small enough to compute by hand."""

import numpy as np
import pytest
import torch

from datasets.transforms import (
    drawn_flips,
    preprocess,
    resize_labels,
    resize_smooth,
    zscore,
)


def test_flip_probability_zero_and_one():
    rng = np.random.default_rng(0)
    assert drawn_flips(rng, 0.0) == [] and drawn_flips(rng, 1.0) == [-1, -2]


def test_drawn_flips_are_independent_of_each_other():
    rng = np.random.default_rng(0)
    drawn = [drawn_flips(rng, 0.5) for _ in range(1000)]
    shares = [drawn.count(dims) / 1000 for dims in ([], [-1], [-2], [-1, -2])]
    assert min(shares) > 0.2 and max(shares) < 0.3


def test_resize_smooth_does_not_antialias():
    row = torch.tensor([[[0.0, 0.0, 8.0, 0.0, 0.0, 0.0]]])
    # Halving 6 to 3 samples between pairs of neighbours; only the second pair holds the peak.
    assert resize_smooth(row.expand(1, 3, 6), 3)[0, 0].tolist() == [0.0, 4.0, 0.0]
    # A quarter of the size samples at one place a cell and misses a peak that an area mean would keep.
    sixteen = torch.zeros(1, 16, 16)
    sixteen[0, 0, 0] = 1
    assert resize_smooth(sixteen, 4).max() == 0


def test_resize_smooth_with_antialiasing_averages_by_a_triangle():
    row = torch.tensor([[[1.0, 3.0, 5.0, 7.0, 9.0, 11.0]]]).expand(1, 6, 6)
    # Around the centre of two pixels that become one: 3/4 each, their neighbours 1/4; beyond the border there is none.
    expected = [(3 * 1 + 3 * 3 + 5) / 7, (3 + 3 * 5 + 3 * 7 + 9) / 8, (7 + 3 * 9 + 3 * 11) / 7]
    torch.testing.assert_close(resize_smooth(row, 3, antialias=True)[0, 0], torch.tensor(expected))
    # An image that grows has nothing to average.
    torch.testing.assert_close(resize_smooth(row, 9, antialias=True), resize_smooth(row, 9))


def test_resize_labels_makes_no_new_values():
    label = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    resized = resize_labels(label, 3)
    assert resized.shape == (1, 3, 3)
    assert set(resized.unique().tolist()) == {0.0, 1.0}


def test_resize_labels_of_a_wide_mask():
    label = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]])
    assert resize_labels(label, 2)[0].tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_zscore_of_four_pixels():
    # Mean 3, population standard deviation 1.
    slice_ = np.array([[[2.0], [4.0]], [[4.0], [2.0]]], np.float32)
    assert zscore(slice_)[0].tolist() == [[-1.0, 1.0], [1.0, -1.0]]
    # As of maps of diffusion in m^2/s.
    assert torch.allclose(zscore(slice_ * np.float32(1e-9)), zscore(slice_))


def test_zscore_does_not_depend_on_the_number_of_threads():
    slice_ = np.random.default_rng(0).normal(300, 50, (512, 512, 1)).astype(np.float32)
    threads = torch.get_num_threads()
    results = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        results.append(zscore(slice_))
    torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def test_zscore_of_a_constant_slice_is_zero():
    assert zscore(np.full((2, 2, 1), 7.0, np.float32)).tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_preprocess_normalises_a_slice_before_it_resizes():
    slice_ = np.random.default_rng(0).integers(0, 4096, (8, 8, 1)).astype(np.float32)
    x = preprocess(slice_, "zscore", 4)
    assert x.shape == (1, 4, 4)
    torch.testing.assert_close(x, resize_smooth(zscore(slice_), 4))
    # Noise averages out, so the other order would give another deviation.
    assert float(x.std()) < 0.8


def test_preprocess_of_a_colour_image():
    image = np.full((5, 7, 3), 255, np.uint8)
    x = preprocess(image, "imagenet", 4)
    assert x.shape == (3, 4, 4)
    assert x[:, 0, 0].tolist() == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225], rel=1e-5)
