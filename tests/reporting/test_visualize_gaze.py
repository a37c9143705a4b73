"""The row from gaze to pseudo-masks, on arrays whose cells can be told by hand."""

from __future__ import annotations

import numpy as np

from datasets.gaze.fixations import Fixations
from datasets.masks import Label
from reporting.visualize import TRUTH_COLOUR, gaze_row, map_picture, with_fixations

SIDE = 8
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def _row(mask=None, thresholds=(0.5, 0.25)):
    image = np.full((SIDE, SIDE, 3), 100, np.uint8)
    heatmap = np.tile(np.linspace(0, 1, SIDE, dtype=np.float32), (SIDE, 1))
    # Columns of 0, 0.25 and 0.5, where the thresholds lie.
    crf_map = np.repeat(np.array([0, 0, 0.25, 0.25, 0.5, 0.5, 1, 1], np.float32)[None], SIDE, axis=0)
    arguments = image, np.array([[0.5, 0.5]]), np.array([200.0]), heatmap, crf_map
    before = [array.copy() for array in arguments]
    image, xy, duration_ms, *maps = arguments
    cells = gaze_row(image, Fixations(xy, duration_ms), *maps, thresholds, Label(mask))
    assert all(np.array_equal(a, b) for a, b in zip(arguments, before, strict=True)), "an argument was changed"
    return cells, arguments


def test_one_cell_a_step_and_a_level():
    cells, (image, xy, duration_ms, heatmap, crf_map) = _row()
    assert list(cells) == ["fixations", "heatmap", "CRF map", "level 1 >= 0.5", "level 2 >= 0.25"]
    assert all(cell.shape == (SIDE, SIDE, 3) and cell.dtype == np.uint8 for cell in cells.values())
    assert np.array_equal(cells["fixations"], with_fixations(image, xy, duration_ms))
    assert np.array_equal(cells["heatmap"], map_picture(heatmap))
    assert np.array_equal(cells["CRF map"], map_picture(crf_map))


def test_a_level_holds_where_the_map_reaches_the_threshold():
    cells, _ = _row()
    for title, first_column in (("level 1 >= 0.5", 4), ("level 2 >= 0.25", 2)):
        assert (cells[title][:, :first_column] == BLACK).all()
        assert (cells[title][:, first_column:] == WHITE).all()


def test_the_truth_is_outlined_on_every_level_and_only_there():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[1:5, 1:5] = True
    outline = mask.copy()
    outline[2:4, 2:4] = False
    plain, with_truth = list(_row()[0].values()), _row(mask)[0]
    assert list(with_truth)[3:] == ["level 1 >= 0.5, truth green", "level 2 >= 0.25, truth green"]
    for before, after in zip(plain[:3], list(with_truth.values())[:3], strict=True):
        assert np.array_equal(before, after)
    for before, after in zip(plain[3:], list(with_truth.values())[3:], strict=True):
        assert (after[outline] == TRUTH_COLOUR).all()
        assert np.array_equal(after[~outline], before[~outline])


def test_an_empty_mask_has_no_outline():
    cells, _ = _row(np.zeros((SIDE, SIDE), bool))
    assert (cells["level 1 >= 0.5, truth green"][:, :4] == BLACK).all()


def test_a_fixation_is_a_ring_that_leaves_its_inside_visible():
    image = np.zeros((201, 201, 3), np.uint8)
    # A radius of 0.0009 * 201 * sqrt(2500) = 9; the line is smoothed over its neighbours.
    picture = with_fixations(image, np.array([[0.5, 0.5]]), np.array([2500.0]))
    rows, columns = np.nonzero(picture.any(axis=2))
    distance = np.hypot(rows - 100, columns - 100)
    assert 7 <= distance.min() and distance.max() <= 10.5
    assert all(picture[100 + y, 100 + x].any() for y, x in ((0, 9), (0, -9), (9, 0), (-9, 0)))
