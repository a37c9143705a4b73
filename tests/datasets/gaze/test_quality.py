"""Quality of gaze against answers computed by hand."""

import math

import numpy as np
import pytest

from datasets.gaze.fixations import Fixations
from datasets.gaze.quality import dice_over_thresholds, read_seconds, score_image, summarize, write_per_image

# The right half of a 4x4 image.
MASK = np.array([[0, 0, 1, 1]] * 4, dtype=bool)
# Columns of grey values 0, 102, 153, 255: 0, 0.4, 0.6 and 1.
MAP = np.array([[0, 102, 153, 255]] * 4, dtype=np.uint8)


def _fixations(*rows):
    xy_duration = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Fixations(xy_duration[:, :2], xy_duration[:, 2])


def test_dice_at_every_threshold():
    # At 0.4: three columns against two; at 0.5: exactly the mask; at 0.7: one of its two columns.
    scores = dice_over_thresholds(MAP, MASK, [0.4, 0.5, 0.7])
    assert scores == pytest.approx([2 * 8 / (12 + 8), 1.0, 2 * 4 / (4 + 8)])


def test_threshold_on_a_grey_value_includes_it():
    assert dice_over_thresholds(MAP, MASK, [153 / 255]) == [1.0]
    assert dice_over_thresholds(MAP, MASK, [153.5 / 255]) == pytest.approx([2 / 3])


def test_both_empty_is_no_number():
    empty = np.zeros((4, 4), bool)
    assert math.isnan(dice_over_thresholds(MAP * 0, empty, [0.5])[0])
    assert dice_over_thresholds(MAP, empty, [0.5]) == [0.0]


def test_map_of_another_size():
    with pytest.raises(ValueError, match=r"expected a map of the mask's size \(4, 4\), found \(4, 3\)"):
        dice_over_thresholds(MAP[:, :3], MASK, [0.5])


def test_share_inside_by_number_and_by_time():
    row = score_image(_fixations((0.1, 0.5, 300), (0.6, 0.5, 50), (0.9, 0.5, 50)), {}, MASK)
    assert row["share_inside"] == pytest.approx(2 / 3)
    assert row["share_inside_by_duration"] == pytest.approx(0.25)
    assert (row["num_fixations"], row["gaze_ms"]) == (3, 400)


def test_fixations_on_the_far_border_count_for_the_last_pixel():
    assert score_image(_fixations((1, 1, 100)), {}, MASK)["share_inside"] == 1
    assert score_image(_fixations((0, 0, 100)), {}, MASK)["share_inside"] == 0


def test_offset_of_the_centroid_is_weighted_by_duration():
    # Gaze at x = 0.75 * 0.2 + 0.25 * 0.6 = 0.3; the mask's centre is (0.75, 0.5).
    row = score_image(_fixations((0.2, 0.9, 300), (0.6, 0.1, 100)), {}, MASK)
    assert (row["offset_x"], row["offset_y"]) == pytest.approx((0.3 - 0.75, 0.7 - 0.5))


def test_without_a_mask_only_the_gaze_is_described():
    assert score_image(_fixations((0.2, 0.9, 300)), {"crf": MAP}, None) == {"num_fixations": 1, "gaze_ms": 300}


def test_empty_mask_has_no_offset():
    row = score_image(_fixations((0.2, 0.9, 300)), {"crf": MAP}, np.zeros((4, 4), bool), [0.5])
    assert math.isnan(row["offset_x"]) and row["share_inside"] == 0 and row["crf_dice_0.5"] == 0


def test_fixations_that_last_nothing_have_no_centroid():
    row = score_image(_fixations((0.9, 0.5, 0)), {}, MASK)
    assert row["share_inside"] == 1 and math.isnan(row["share_inside_by_duration"]) and math.isnan(row["offset_x"])


def test_summary_is_over_images_with_a_mask():
    rows = [
        {"num_fixations": 1, "share_inside": s, "share_inside_by_duration": s, "offset_x": o, "offset_y": 0.0}
        | {"crf_dice_0.5": d}
        for s, o, d in ((1.0, 0.1, 0.5), (0.5, -0.3, math.nan), (0.9, 0.2, 0.7))
    ]
    summary = summarize([*rows, {"num_fixations": 4, "gaze_ms": 5}], [0.5])
    assert summary["num_images"] == 3
    assert summary["dice"] == {"crf": {"0.5": 0.6}}
    assert summary["fixations_inside"]["share"] == {"mean": 0.8, "median": 0.9}
    offset = summary["centroid_offset"]["x"]
    assert offset["mean"] == pytest.approx(0) and offset["mean_absolute"] == pytest.approx(0.2)
    assert offset["std"] == pytest.approx(np.std([0.1, -0.3, 0.2]), abs=1e-6)


def test_summary_without_masks():
    assert summarize([{"num_fixations": 4, "gaze_ms": 5}]) is None


def test_all_numbers_missing_are_none():
    row = {"share_inside": 0.0, "share_inside_by_duration": 0.0, "offset_x": math.nan, "offset_y": math.nan}
    assert summarize([row])["centroid_offset"]["x"]["mean"] is None


def test_table_an_image_a_row(tmp_path):
    path = tmp_path / "per_image.csv"
    rows = {"a": {"num_fixations": 3, "share_inside": 0.5, "crf_dice_0.5": math.nan, "seconds": 1.25}, "b, c": {}}
    write_per_image(path, rows, [0.5])
    assert path.read_text() == (
        "name,num_fixations,gaze_ms,share_inside,share_inside_by_duration,offset_x,offset_y,"
        "heatmap_dice_0.5,crf_dice_0.5,seconds\n"
        "a,3,,0.500000,,,,,,1.250000\n"
        '"b, c",,,,,,,,,\n'
    )
    assert read_seconds(path) == {"a": 1.25}


@pytest.mark.parametrize("content", [b"", b"name\na\n", b"name,seconds\na,soon\n", b"\xff\xfe\x00"])
def test_seconds_of_a_table_that_cannot_be_read_are_none(tmp_path, content):
    (tmp_path / "per_image.csv").write_bytes(content)
    assert read_seconds(tmp_path / "per_image.csv") == {}
    assert read_seconds(tmp_path / "absent.csv") == {}


def test_ignored_pixels_and_the_fixations_on_them_are_left_out():
    ignore = np.zeros((4, 4), bool)
    ignore[:, 3] = True
    fixations = _fixations((0.1, 0.5, 100), (0.6, 0.5, 300), (0.9, 0.9, 500))
    row = score_image(fixations, {"crf": MAP}, MASK & ~ignore, [0.4, 0.7], ignore)
    # Two fixations are left, and of the mask its third column, whose centre is at 0.625.
    assert (row["share_inside"], row["share_inside_by_duration"]) == (0.5, 0.75)
    assert (row["offset_x"], row["offset_y"]) == pytest.approx(((0.1 + 3 * 0.6) / 4 - 0.625, 0))
    assert (row["crf_dice_0.4"], row["crf_dice_0.7"]) == (pytest.approx(2 * 4 / (8 + 4)), 0)
    assert (row["num_fixations"], row["ignored_px"]) == (3, 4)


def test_where_all_is_ignored_there_is_no_number(tmp_path):
    ignore = np.ones((4, 4), bool)
    row = score_image(_fixations((0.1, 0.5, 100)), {"crf": MAP}, MASK & ~ignore, [0.5], ignore)
    assert all(math.isnan(row[key]) for key in ("share_inside", "share_inside_by_duration", "offset_x", "crf_dice_0.5"))
    write_per_image(tmp_path / "table.csv", {"a": row}, [0.5])
    header, cells = (line.split(",") for line in (tmp_path / "table.csv").read_text().splitlines())
    assert dict(zip(header, cells, strict=True))["ignored_px"] == "16"
    write_per_image(tmp_path / "table.csv", {"a": score_image(_fixations((0.1, 0.5, 100)), {}, MASK)}, [0.5])
    assert "ignored_px" not in (tmp_path / "table.csv").read_text()
