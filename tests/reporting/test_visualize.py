"""Pictures: sizes, colours, and that the input stays as it was."""

import numpy as np
import pytest

from reporting.visualize import (
    FIXATION_COLOUR,
    GAP_PX,
    IGNORED_COLOUR,
    PREDICTION_COLOUR,
    TITLE_PX,
    TRUTH_COLOUR,
    grid,
    map_picture,
    mask_picture,
    prediction_row,
    with_contour,
    with_fixations,
    with_ignored,
)

BLACK = np.zeros((20, 30, 3), np.uint8)
BOX = np.zeros((20, 30), bool)
BOX[5:15, 10:20] = True


def _has(picture, colour):
    return bool((picture == np.array(colour, np.uint8)).all(axis=-1).any())


def test_map_goes_from_dark_blue_to_yellow():
    picture = map_picture(np.array([[0.0, 1.0, 2.0]]))
    assert picture.shape == (1, 3, 3)
    red, green, blue = picture[0].astype(int).T
    assert blue[0] > red[0] and red[1] > blue[1] and green[1] > green[0]
    assert picture[0, 1].tolist() == picture[0, 2].tolist()


def test_mask_is_black_and_white():
    assert mask_picture(np.array([[0.0, 1.0]])).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_contour_runs_around_the_mask_on_a_copy():
    picture = with_contour(BLACK, BOX, (1, 2, 3))
    assert picture[5, 10].tolist() == [1, 2, 3]
    assert picture[10, 15].tolist() == [0, 0, 0] and picture[0, 0].tolist() == [0, 0, 0]
    assert BLACK.max() == 0


def test_empty_mask_has_no_contour():
    np.testing.assert_array_equal(with_contour(BLACK, np.zeros((20, 30)), (1, 2, 3)), BLACK)


def test_fixations_are_drawn_on_a_copy_up_to_the_border():
    large = np.zeros((200, 200, 3), np.uint8)
    picture = with_fixations(large, np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([100.0, 400.0]))
    assert _has(picture[:20, :20], FIXATION_COLOUR) and _has(picture[-20:, -20:], FIXATION_COLOUR)
    assert large.max() == 0


def test_longer_fixation_is_drawn_larger():
    def drawn(duration):
        picture = with_fixations(np.zeros((200, 200, 3), np.uint8), np.array([[0.5, 0.5]]), np.array([duration]))
        return int(np.ptp(np.flatnonzero(picture.any(axis=(0, 2)))))

    assert drawn(1000.0) > drawn(250.0) > 0


def test_no_fixations():
    np.testing.assert_array_equal(with_fixations(BLACK, np.zeros((0, 2)), np.zeros(0)), BLACK)


def test_grid_holds_pictures_of_any_shape():
    red = np.zeros((10, 40, 3), np.uint8)
    red[..., 0] = 255
    picture = grid([{"one": red, "two": BLACK}, {"one": BLACK}], cell_px=50)
    assert picture.dtype == np.uint8
    assert picture.shape == (TITLE_PX + 2 * (50 + GAP_PX) + GAP_PX, 2 * (50 + GAP_PX) + GAP_PX, 3)
    centre_y, centre_x = TITLE_PX + GAP_PX + 25, GAP_PX + 25
    assert picture[centre_y, centre_x].tolist() == [255, 0, 0]
    assert picture[centre_y, centre_x + 50 + GAP_PX].tolist() == [0, 0, 0]
    assert picture[centre_y + 50 + GAP_PX, centre_x].tolist() == [0, 0, 0]
    # Where a row has no picture, and above the wide one, which is fitted in.
    assert (picture[centre_y + 25 + GAP_PX :, centre_x + 25 + GAP_PX :] == 255).all()
    assert picture[centre_y - 20, centre_x].tolist() == [255, 255, 255]
    assert (picture[:TITLE_PX] < 128).any()


def test_cells_of_a_case():
    image = np.random.default_rng(0).normal(size=(3, 20, 30))
    probabilities = np.stack([BOX, BOX, ~BOX]).astype(float)
    cells = prediction_row(image, probabilities, np.roll(BOX, 3, axis=1), np.stack([BOX, BOX]))
    assert list(cells) == [
        "image",
        "pseudo-mask 1",
        "pseudo-mask 2",
        "level 1 probability",
        "level 2 probability",
        "prediction (yellow)",
        "and truth (green)",
    ]
    assert {cell.shape for cell in cells.values()} == {(20, 30, 3)}
    *_, predicted, with_truth = cells.values()
    assert _has(predicted, PREDICTION_COLOUR) and not _has(predicted, TRUTH_COLOUR)
    assert _has(with_truth, PREDICTION_COLOUR) and _has(with_truth, TRUTH_COLOUR)


def test_cells_of_a_case_without_label_and_pseudo_masks():
    cells = prediction_row(np.zeros((1, 20, 30)), np.stack([BOX, BOX]))
    assert list(cells) == ["image", "level 1 probability", "prediction (yellow)"]


@pytest.mark.parametrize(("threshold", "shown"), [(0.3, True), (0.5, False)])
def test_the_prediction_is_outlined_at_the_threshold_that_was_scored(threshold, shown):
    probabilities = np.stack([0.4 * BOX, 0.4 * BOX])
    cells = prediction_row(np.zeros((1, 20, 30)), probabilities, threshold=threshold)
    assert _has(cells["prediction (yellow)"], PREDICTION_COLOUR) == shown


def test_ignored_pixels_are_hatched_and_no_others():
    picture = with_ignored(BLACK, BOX)
    hatched = (picture == IGNORED_COLOUR).all(axis=-1)
    assert 0 < hatched[BOX].mean() < 1 and not picture[~BOX].any() and not BLACK.any()
    assert with_ignored(BLACK, None) is BLACK


def test_a_row_of_a_case_with_ignored_pixels_says_so():
    row = (np.zeros((3, 20, 30)), np.zeros((2, 20, 30)), BOX, ())
    title, picture = list(prediction_row(*row, BOX).items())[-1]
    assert title == "truth green, ignored grey" and _has(picture, IGNORED_COLOUR)
    assert list(prediction_row(*row))[-1] == "and truth (green)"
