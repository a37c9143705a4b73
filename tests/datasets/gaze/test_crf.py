"""The CRF: it follows edges, it fits its image, and it equals the reference."""

import numpy as np
import pytest

from datasets import io
from datasets.gaze.crf import CRF_ENGINES, crf_image, refine_with_crf
from datasets.gaze.heatmap import to_uint8


def _disc(size, radius):
    rows, columns = np.mgrid[:size, :size]
    return np.hypot(rows - size / 2, columns - size / 2) < radius


def test_shape_and_range():
    refined = refine_with_crf(np.zeros((6, 9, 3), np.uint8), np.full((6, 9), 0.3, np.float32))
    assert refined.shape == (6, 9) and refined.dtype == np.float32
    assert refined.min() >= 0 and refined.max() <= 1


def test_no_iteration_and_no_pairwise_weight_leave_the_heatmap():
    heatmap = np.random.default_rng(0).uniform(0.05, 0.95, (5, 7)).astype(np.float32)
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_allclose(refine_with_crf(image, heatmap, iterations=0), heatmap, atol=1e-5)
    np.testing.assert_allclose(refine_with_crf(image, heatmap, compat=0), heatmap, atol=1e-5)


def test_pixels_of_one_colour_are_drawn_together():
    disc = _disc(40, 12)
    image = np.where(disc[..., None], (200, 60, 60), (40, 40, 90)).astype(np.uint8)
    # The gaze is a little off to one side.
    gaze = np.roll(disc, 5, axis=1)
    heatmap = np.where(gaze, 0.6, 0.4).astype(np.float32)
    weak, strong = (refine_with_crf(image, heatmap, compat=compat) for compat in (1, 10))
    assert weak[disc & ~gaze].min() > 0.42 and weak[gaze & ~disc].max() < 0.58
    np.testing.assert_array_equal(strong >= 0.5, disc)


def test_heatmap_of_zeros_and_ones_gives_finite_values():
    heatmap = _disc(16, 5).astype(np.float32)
    assert np.isfinite(refine_with_crf(np.zeros((16, 16, 3), np.uint8), heatmap)).all()


@pytest.mark.parametrize(
    "image", [np.zeros((5, 4, 3), np.uint8), np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.float32)]
)
def test_image_that_does_not_fit(image):
    with pytest.raises(ValueError, match=r"expected an RGB image of the heatmap's size, \(4, 5, 3\) uint8, found"):
        refine_with_crf(image, np.zeros((4, 5), np.float32))


def test_colour_image_is_passed_as_it_is():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert crf_image(image) is image


def test_slice_is_scaled_to_grey_values_and_repeated():
    slice_ = np.array([[[100], [300]], [[200], [500]]], np.float32)
    grey = crf_image(slice_)
    assert grey.dtype == np.uint8 and grey.shape == (2, 2, 3)
    assert grey[..., 0].tolist() == [[0, 127], [63, 255]]
    assert (grey == grey[..., :1]).all()


def test_constant_slice_becomes_black():
    with np.errstate(all="raise"):
        assert crf_image(np.full((2, 2, 1), 7, np.float32)).max() == 0


def test_golden_crf_maps(golden):
    """From the reference's own heatmap: every pixel equal."""
    with np.load(golden / "kvasir_gaze.npz") as expected:
        names = [key.split("/")[0] for key in expected if key.endswith("heatmap_uint8")]
        for name in names:
            image = io.read_image(golden / "kvasir_root" / "images" / f"{name}.jpg", 3)
            refined = refine_with_crf(image, expected[f"{name}/heatmap_uint8"] / np.float32(255))
            np.testing.assert_array_equal(to_uint8(refined), expected[f"{name}/crf_uint8_from_that_heatmap"])


def test_grey_without_channels_and_a_heatmap_of_8_bits():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(crf_image(grey), crf_image(grey[..., None]))
    for heatmap, found in ((np.full((3, 4), 255, np.uint8), "255 to 255"), (np.full((3, 4), np.nan), "nan to nan")):
        with pytest.raises(ValueError, match=f"expected a heatmap in 0..1, found {found}; read files by"):
            refine_with_crf(crf_image(grey), heatmap)


@pytest.mark.parametrize("shape", [(4, 5, 2), (4, 5, 4), (2, 4, 5, 3)])
def test_image_of_other_channels_is_refused(shape):
    with pytest.raises(ValueError, match="expected an image"):
        crf_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("engine", CRF_ENGINES)
def test_iterations_below_0_are_refused(engine):
    with pytest.raises(ValueError, match="expected 0 iterations or more, found -1"):
        refine_with_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), iterations=-1, engine=engine)
