"""Heatmaps: where the heat is, how it is scaled, and that the border stays the border."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from datasets import io
from datasets.gaze.fixations import read_fixations
from datasets.gaze.heatmap import fixation_heatmap, to_uint8


def _heatmap(*fixations, size=(32, 32), sigma_px=3, canvas_px=32):
    """A map of (x, y, duration) triples on a small canvas."""
    values = np.array(fixations, dtype=float).reshape(-1, 3)
    return fixation_heatmap(values[:, :2], values[:, 2], size, sigma_px=sigma_px, canvas_px=canvas_px)


def _peak(heatmap):
    """(row, column) of the maximum."""
    return tuple(int(i) for i in np.unravel_index(heatmap.argmax(), heatmap.shape))


def test_range_type_and_shape():
    heatmap = _heatmap((0.5, 0.5, 100), size=(20, 30))
    assert heatmap.shape == (20, 30) and heatmap.dtype == np.float32
    assert heatmap.min() == pytest.approx(0, abs=1e-3) and heatmap.max() == pytest.approx(1, abs=0.05)


def test_pixel_of_a_position():
    # Row round(0.25 * 32) - 1 = 7, column round(0.75 * 32) - 1 = 23.
    assert _peak(_heatmap((0.75, 0.25, 100))) == (7, 23)


@pytest.mark.parametrize(
    ("x", "y", "row", "column"),
    [(0, 0.5, 15, 0), (1, 0.5, 15, 31), (0.5, 0, 0, 15), (0.5, 1, 31, 15), (0, 0, 0, 0), (1, 1, 31, 31)],
)
def test_fixation_on_the_border_stays_on_its_border(x, y, row, column):
    heatmap = _heatmap((x, y, 100))
    assert _peak(heatmap) == (row, column)
    assert heatmap[31 - row if row in (0, 31) else row, 31 - column if column in (0, 31) else column] < 0.05


def test_longer_fixation_is_hotter_in_proportion():
    heatmap = _heatmap((0.25, 0.5, 100), (0.75, 0.5, 400), sigma_px=2)
    assert heatmap[15, 23] == 1
    assert heatmap[15, 7] == pytest.approx(0.25, abs=1e-4)


def test_fixation_of_no_duration_leaves_no_trace():
    np.testing.assert_array_equal(_heatmap((0.2, 0.2, 100), (0.8, 0.8, 0)), _heatmap((0.2, 0.2, 100)))


@pytest.mark.parametrize("count", [1, 48, 49, 20_000])
def test_few_and_many_fixations_are_summed_alike(count):
    rng = np.random.default_rng(count)
    xy, duration_ms = rng.random((count, 2)), rng.integers(50, 500, count)
    canvas = np.zeros((48, 48))
    pixels = np.maximum(np.round(xy * 48).astype(int) - 1, 0)
    np.add.at(canvas, (pixels[:, 1], pixels[:, 0]), duration_ms)
    expected = gaussian_filter(canvas, 2, mode="reflect", truncate=4.0)
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    ours = fixation_heatmap(xy, duration_ms, (48, 48), sigma_px=2, canvas_px=48)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_memory_does_not_grow_with_the_fixations():
    rng = np.random.default_rng(0)
    xy, duration_ms = rng.random((100_000, 2)), rng.integers(50, 500, 100_000)
    tracemalloc.start()
    fixation_heatmap(xy, duration_ms, (8, 8), sigma_px=30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A matrix of 768 x 100,000 alone would take 614 MB.
    assert peak < 60e6


def _filtered_by_definition(canvas, sigma_px):
    """Every tap in turn, the canvas mirrored as often as it takes: d c b a | a b c d | d c b a."""
    side, radius = len(canvas), int(4 * sigma_px + 0.5)
    taps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (taps / sigma_px) ** 2)
    mirrored = (np.arange(side)[:, None] + taps) % (2 * side)
    mirrored = np.minimum(mirrored, 2 * side - 1 - mirrored)
    response = np.zeros((side, side))
    for row in range(side):
        np.add.at(response[row], mirrored[row], weights / weights.sum())
    return response @ canvas @ response.T


@pytest.mark.parametrize("sigma_px", [0.2, 1, 5, 9, 16])
def test_sigmas_up_to_the_canvas_reflect_as_often_as_it_takes(sigma_px):
    canvas = np.zeros((16, 16))
    canvas[3, 11], canvas[14, 0] = 100, 300
    expected = _filtered_by_definition(canvas, sigma_px)
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    ours = _heatmap((12 / 16, 4 / 16, 100), (0, 15 / 16, 300), size=(16, 16), sigma_px=sigma_px, canvas_px=16)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("sigma_px", [0.12, 1e-9, 1e-200, 5e-324])
def test_tiny_sigma_leaves_a_fixation_on_its_pixel(sigma_px):
    expected = np.zeros((16, 16))
    expected[3, 11] = 1
    ours = _heatmap((12 / 16, 4 / 16, 100), size=(16, 16), sigma_px=sigma_px, canvas_px=16)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-3, 1e300, 4e307])
def test_durations_of_any_size(scale):
    ours = _heatmap((0.25, 0.5, 4 * scale), (0.75, 0.5, scale), (0.75, 0.5, 3 * scale))
    np.testing.assert_array_equal(ours, _heatmap((0.25, 0.5, 4), (0.75, 0.5, 1), (0.75, 0.5, 3)))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (1, 5000), (2, 3)])
def test_images_of_few_pixels(size):
    heatmap = _heatmap((0.25, 0.75, 100), size=size)
    assert heatmap.shape == size and heatmap.dtype == np.float32
    assert np.isfinite(heatmap).all() and heatmap.min() >= 0 and heatmap.max() <= 1
    if size == (1, 40):  # one row from the middle of the canvas
        assert heatmap[0].argmax() in (9, 10)


@pytest.mark.parametrize("canvas_px", [1, 8, 48])
def test_the_same_everywhere_is_refused_instead_of_blown_up(canvas_px):
    # On 48 x 48 the sums differ in their last digits.
    steps = np.arange(1, canvas_px + 1) / canvas_px
    every_pixel = [(x, y, 100 / 3) for x in steps for y in steps]
    with pytest.raises(ValueError, match="heatmap: expected fixations that stand out, found the same heat everywhere"):
        _heatmap(*every_pixel, canvas_px=canvas_px, sigma_px=0.7)


def test_bicubic_overshoot_is_cut():
    heatmap = _heatmap((0.5, 0.5, 100), (0.1, 0.9, 30), size=(301, 203), sigma_px=0.5)
    assert heatmap.min() >= 0 and heatmap.max() <= 1


def test_uint8_is_cut_off_and_not_rounded():
    assert to_uint8(np.array([0, 0.999 / 255, 1.999 / 255, 254.9 / 255, 1])).tolist() == [0, 0, 1, 254, 255]


def test_uint8_of_values_out_of_range_does_not_wrap():
    assert to_uint8(np.array([-0.1, 1.1])).tolist() == [0, 255]
    assert to_uint8(np.array([-0.1, -0.0, 1.1]), half=True).tolist() == [0, 0, 255]


def test_half_precision_as_the_reference_computes():
    # 0.39998 is 0.4 to float16, and 0.4 * 255 = 102.
    value = np.array([0.39998], np.float32)
    assert to_uint8(value).tolist() == [101]
    assert to_uint8(value, half=True).tolist() == [102]


@pytest.mark.parametrize(
    ("fixations", "message"),
    [
        ([(0.5, 0.5, 0), (0.1, 0.1, 0)], "expected fixations of positive duration in ms, found 2 without"),
        ([], "expected fixations of positive duration"),
        ([(0.5, 0.5, -5)], "expected fixations of positive duration"),
        ([(0.5, 0.5, np.nan)], "expected fixations of positive duration"),
        ([(1.2, 0.5, 100)], r"expected positions in 0\.\.1, found 0\.5 to 1\.2"),
        ([(np.nan, 0.5, 100)], r"expected positions in 0\.\.1"),
    ],
)
def test_unusable_fixations(fixations, message):
    with pytest.raises(ValueError, match=message):
        _heatmap(*fixations)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"found \(3, 2\) and \(2,\)"):
        fixation_heatmap(np.zeros((3, 2)), np.ones(2), (8, 8), sigma_px=3)


@pytest.mark.parametrize("sigma_px", [0, -1, np.nan, np.inf, 32.1, 1e12])
def test_impossible_sigma(sigma_px):
    with pytest.raises(ValueError) as caught:
        _heatmap((0.5, 0.5, 100), sigma_px=sigma_px)
    expected = "heatmap: expected a sigma_px above 0 and up to 32, the canvas's side"
    assert str(caught.value) == f"{expected}, found {sigma_px:g}"


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (5, -1), (5,)])
def test_impossible_image_size(size):
    with pytest.raises(ValueError, match=r"heatmap: expected an image of 1 pixel or more a side, found \([05]"):
        _heatmap((0.5, 0.5, 100), size=size)


def test_golden_heatmaps(golden, kvasir_fixation_table):
    """Within one grey value, and different in 3 of 327,000 pixels at most: sums in another order, then cut off."""
    fixations = read_fixations(kvasir_fixation_table)
    with np.load(golden / "kvasir_gaze.npz") as expected:
        for key in (key for key in expected if key.endswith("heatmap_uint8")):
            name = key.split("/")[0]
            size = io.check_image(golden / "kvasir_root" / "images" / f"{name}.jpg")
            ours = to_uint8(
                fixation_heatmap(fixations[name].xy, fixations[name].duration_ms, size, sigma_px=70), half=True
            )
            difference = np.abs(ours.astype(int) - expected[key])
            assert difference.max() <= 1
            assert (difference > 0).sum() <= 3


def test_a_size_as_a_table_has_it():
    xy, duration = np.array([[0.5, 0.5]]), np.array([100.0])
    heatmaps = [fixation_heatmap(xy, duration, size, sigma_px=70) for size in ((30, 40), (30.0, 40.0))]
    np.testing.assert_array_equal(*heatmaps)
