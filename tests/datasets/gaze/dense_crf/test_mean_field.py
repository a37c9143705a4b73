"""The compiled CRF against pydensecrf2: equal to the last bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.gaze.crf import CRF_ENGINES, refine_with_crf
from datasets.gaze.dense_crf.lattice import build_lattice
from datasets.gaze.dense_crf.mean_field import foreground_marginal

REPOSITORY = Path(__file__).resolve().parents[4]
# One pixel, fewer than four, not a multiple of four, one row or column, more than one block.
SHAPES = [(1, 1), (1, 3), (5, 1), (2, 2), (7, 11), (1, 300), (33, 41)]
SETTINGS = [
    {},
    {"iterations": 0},
    {"iterations": 1},
    {"compat": 10},
    # Marginals below the smallest normal float32.
    {"compat": 100},
    {"compat": 0.3, "iterations": 3, "sxy": 33.3, "srgb": 7.7},
    {"sxy": 1, "srgb": 1},
    {"sxy": 1000, "srgb": 500},
]


def _images(shape):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return {
        "noise": rng.integers(0, 256, (*shape, 3)).astype(np.uint8),
        "gradient": np.stack([columns * 7 % 256, rows * 5 % 256, (rows + columns) % 256], -1).astype(np.uint8),
        "grey": np.repeat(rng.integers(0, 256, (*shape, 1)), 3, -1).astype(np.uint8),
        "black": np.zeros((*shape, 3), np.uint8),
        "white": np.full((*shape, 3), 255, np.uint8),
    }


def _heatmaps(shape):
    rng = np.random.default_rng(1)
    return {
        "random": rng.random(shape).astype(np.float32),
        "zeros and ones": (rng.random(shape) < 0.5).astype(np.float32),
        "zeros": np.zeros(shape, np.float32),
        "ones": np.ones(shape, np.float32),
    }


@pytest.mark.usefixtures("original_crf")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_bit_equals_pydensecrf(shape, settings):
    for image_name, image in _images(shape).items():
        for heatmap_name, heatmap in _heatmaps(shape).items():
            ours, theirs = (refine_with_crf(image, heatmap, engine=e, **settings) for e in CRF_ENGINES)
            assert np.isfinite(ours).all() and ours.dtype == theirs.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{image_name}, {heatmap_name}")


@pytest.mark.usefixtures("original_crf")
def test_more_corners_than_16_bits_can_number():
    shape = (120, 121)
    image, heatmap = _images(shape)["noise"], _heatmaps(shape)["random"]
    lattice = build_lattice(image, 3, 3)
    assert lattice.corner.dtype == lattice.before.dtype == np.int32 and lattice.before.shape[1] > 2**16
    ours, theirs = (refine_with_crf(image, heatmap, engine=e, sxy=3, srgb=3) for e in CRF_ENGINES)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("original_crf")
def test_read_only_and_strided_arrays():
    image, heatmap = _images((9, 14))["noise"], _heatmaps((9, 14))["random"]
    expected = refine_with_crf(image, heatmap)
    image.flags.writeable = heatmap.flags.writeable = False
    np.testing.assert_array_equal(refine_with_crf(image, heatmap), expected)
    mirrored = refine_with_crf(image[::-1], heatmap[::-1])
    theirs = refine_with_crf(image[::-1], heatmap[::-1], engine="pydensecrf")
    np.testing.assert_array_equal(mirrored, theirs)


def test_lattice_of_one_pixel():
    corner, weight, before, after = build_lattice(np.zeros((1, 1, 3), np.uint8), 80, 13)
    # The origin is a corner itself; along every axis the two next ones of its simplex are neighbours.
    assert corner.tolist() == [[1, 2, 3, 4, 5, 6]] and weight.tolist() == [[1, 0, 0, 0, 0, 0]]
    assert before.shape == after.shape == (6, 7) and (before[:, 0] == 0).all() and (after[:, 0] == 0).all()
    steps = {(corner, after[axis, corner]) for axis in range(6) for corner in range(1, 7) if after[axis, corner]}
    assert steps == {(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 1)}
    assert {(before[axis, c], c) for axis in range(6) for c in range(1, 7) if before[axis, c]} == steps


def test_weights_add_up_to_one():
    image = _images((50, 60))["noise"]
    weight = build_lattice(image, 80, 13).weight
    assert weight.min() > -1e-5
    np.testing.assert_allclose(weight.sum(axis=1), 1, atol=1e-5)


def test_two_like_pixels_by_hand():
    # Equal in every feature but x, and that hardly: both lie on one corner, so that each is filtered to the mean.
    lattice = build_lattice(np.zeros((1, 2, 3), np.uint8), 1e6, 13)
    probability = np.array([[0.8, 0.6], [0.2, 0.4]], np.float32)
    marginal = foreground_marginal(lattice, -np.log(probability), compat=1, iterations=1)
    message = np.exp(probability.mean(axis=1, keepdims=True))
    np.testing.assert_allclose(marginal, (probability * message / (probability * message).sum(axis=0))[1], rtol=1e-4)


@pytest.mark.parametrize("engine", CRF_ENGINES)
@pytest.mark.parametrize("settings", [{"srgb": 0}, {"sxy": -80}, {"srgb": float("nan")}], ids=str)
def test_deviation_that_is_none(engine, settings):
    with pytest.raises(ValueError, match="crf: expected sxy and srgb above 0, found"):
        refine_with_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), engine=engine, **settings)


@pytest.mark.parametrize("settings", [{"srgb": 0.01}, {"sxy": 1e-6}, {"srgb": 1e-300}], ids=str)
def test_deviation_that_the_lattice_cannot_hold(settings):
    with pytest.raises(ValueError, match="expected sxy and srgb large enough .* image of 4x5; try 80 and 13"):
        refine_with_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), **settings)


def test_empty_image():
    for engine in CRF_ENGINES:
        refined = refine_with_crf(np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4), np.float32), engine=engine)
        assert refined.shape == (0, 4) and refined.dtype == np.float32


def test_the_original_library_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(ValueError, match="expected the package pydensecrf2, found none; scripts/setup.sh installs it"):
        refine_with_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), engine="pydensecrf")


def test_unknown_engine():
    with pytest.raises(ValueError, match="expected an engine out of compiled, pydensecrf, found 'gpu'"):
        refine_with_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), engine="gpu")


@pytest.mark.usefixtures("original_crf")
@pytest.mark.parametrize("engine, absent", [("compiled", "pydensecrf"), ("pydensecrf", "numba")])
def test_an_engine_imports_its_own_library_only(engine, absent):
    program = f"""
import sys, numpy as np
from datasets.gaze.crf import refine_with_crf
assert "numba" not in sys.modules and "pydensecrf" not in sys.modules
refine_with_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), engine="{engine}")
assert "{absent}" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, timeout=120)
