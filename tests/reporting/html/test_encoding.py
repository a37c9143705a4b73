"""Arrays become short strings that a page can draw again."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from reporting.html.encoding import MAX_POINTS, encoded_map, encoded_picture, outline, rounded_fixations


def _decoded(text: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


def _points(path: str) -> list[list[tuple[float, float]]]:
    """The corners of every closed piece of a path of one M, one l and one z each."""
    pieces = []
    for start, steps in re.findall(r"M([^l]+)l([^z]+)z", path):
        x, y = map(float, start.split())
        corners = [(x, y)]
        numbers = list(map(int, steps.split()))
        for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + dx, y + dy
            corners.append((x, y))
        pieces.append(corners)
    return pieces


def test_outline_of_a_rectangle_has_its_four_corners():
    mask = np.zeros((10, 20), bool)
    mask[2:6, 3:15] = True  # rows 2 to 5, columns 3 to 14: centres half a pixel further
    (corners,) = _points(outline(mask))
    assert sorted(corners) == [(3.5, 2.5), (3.5, 5.5), (14.5, 2.5), (14.5, 5.5)]


def test_a_hole_and_a_second_piece_have_outlines_of_their_own():
    mask = np.zeros((20, 30), bool)
    mask[1:11, 1:11] = True
    mask[4:7, 4:7] = False
    mask[15:18, 20:25] = True
    assert len(_points(outline(mask))) == 3


def test_empty_mask_is_an_empty_path_and_one_pixel_a_dot():
    mask = np.zeros((4, 4), bool)
    assert outline(mask) == ""
    mask[1, 2] = True
    assert outline(mask) == "M2.5 1.5h0"


def test_outline_of_a_circle_is_short_and_stays_within_a_pixel():
    rows, columns = np.mgrid[:200, :200]
    path = outline(np.hypot(rows - 100, columns - 100) <= 80)
    (corners,) = _points(path)
    radii = [np.hypot(x - 100.5, y - 100.5) for x, y in corners]
    assert 79 <= min(radii) and max(radii) <= 80.5
    assert len(path) < 700


@pytest.mark.parametrize(("size", "expected"), [((60, 120), (50, 100)), ((120, 60), (100, 50)), ((30, 20), (30, 20))])
def test_picture_fits_the_side_and_is_never_enlarged(size, expected):
    picture = np.full((*size, 3), (200, 80, 20), np.uint8)
    decoded = _decoded(encoded_picture(picture, 100))
    assert decoded.shape[:2] == expected
    np.testing.assert_allclose(decoded.mean(axis=(0, 1)), (200, 80, 20), atol=4)


def test_very_thin_picture_keeps_a_pixel():
    assert _decoded(encoded_picture(np.zeros((1, 900, 3), np.uint8), 100)).shape[:2] == (1, 100)


def test_map_is_grey_and_within_bounds():
    unit_map = np.zeros((40, 80), np.float32)
    unit_map[:, 20:40], unit_map[:, 40:60], unit_map[:, 60:] = 0.5, 1.7, np.nan
    decoded = _decoded(encoded_map(unit_map, 160))
    for column, value in ((5, 0), (30, 128), (50, 255), (70, 0)):
        np.testing.assert_allclose(decoded[20, column], value, atol=5)


def test_fixations_are_thousandths_and_whole_milliseconds():
    xy, duration_ms = np.array([[0.25, 0.5], [0.12345, 1.0], [np.nan, 0.5]]), np.array([100.4, 255.0, 80.0])
    assert rounded_fixations(xy, duration_ms) == [[250, 500, 100], [123, 1000, 255]]
    assert rounded_fixations(np.empty((0, 2)), np.empty(0)) == []


def test_the_outlines_of_noise_stay_short():
    noise = np.random.default_rng(0).random((300, 300)) > 0.5
    noise[100:150, 100:150] = True
    path = outline(noise)
    assert 0 < len(path) < 40_000
    # The large square is still there.
    assert len(outline(np.pad(np.ones((50, 50), bool), 10))) < 40


def test_a_mask_of_many_dots_is_not_an_empty_path():
    dots = np.zeros((300, 300), bool)
    dots[::3, ::3] = True
    assert 1000 < outline(dots).count("M") <= MAX_POINTS
