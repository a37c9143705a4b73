"""The table of cases, and means, deviations and intervals over them."""

import csv
import json

import pytest

from evaluation.metrics import PREDICTED_PX, TRUE_PX
from evaluation.per_case import table_of, write_per_case
from evaluation.summary import summarize


def summarize_rows(rows, **more):
    return summarize(table_of(rows), **more)


def _row(level, dice, iou=0.5, name="a"):
    part = 0.5 if dice == dice else dice
    return {"name": name, "level": level, "dice": dice, "iou": iou, "precision": part, "recall": part}


def test_summary_by_hand():
    summary = summarize_rows([_row("ensemble", 0.2), _row("ensemble", 0.6), _row("1", 1.0), _row("1", 1.0)])
    assert summary["ensemble"] == {
        "num_cases": 2,
        "dice_mean": pytest.approx(0.4),
        "dice_std": pytest.approx(0.2),
        "iou_mean": 0.5,
        "iou_std": 0.0,
        "precision_mean": 0.5,
        "precision_std": 0.0,
        "recall_mean": 0.5,
        "recall_std": 0.0,
        "num_undefined": 0,
    }
    assert list(summary) == ["ensemble", "1"]


def test_undefined_cases_are_left_out_and_counted():
    nan = float("nan")
    summary = summarize_rows([_row("ensemble", 0.2), _row("ensemble", nan, nan)])
    assert summary["ensemble"]["dice_mean"] == pytest.approx(0.2)
    assert (summary["ensemble"]["num_cases"], summary["ensemble"]["num_undefined"]) == (2, 1)


def test_no_defined_case_at_all():
    nan = float("nan")
    entry = summarize_rows([_row("ensemble", nan, nan)])["ensemble"]
    assert entry["dice_mean"] is entry["iou_std"] is None
    assert json.dumps(entry)


def test_no_rows():
    assert summarize_rows([]) == {}


def test_interval_is_over_groups_where_there_are_some():
    rows = [_row("ensemble", value, name=str(i)) for i, value in enumerate((0.1, 0.2, 0.3, 0.4))]
    low, high = summarize_rows(rows, intervals=True)["ensemble"]["dice_ci95"]
    assert 0.1 <= low < 0.25 < high <= 0.4
    of_patients = [{**row, "group": group} for row, group in zip(rows, "aabb", strict=True)]
    # Of two patients, both or one of them twice is drawn.
    assert summarize_rows(of_patients, intervals=True)["ensemble"]["dice_ci95"] == pytest.approx((0.15, 0.35))
    assert "dice_ci95" not in summarize_rows(rows)["ensemble"]
    assert summarize_rows(rows[:1], intervals=True)["ensemble"]["dice_ci95"] is None


def test_one_empty_mask_is_counted_and_in_the_mean():
    found = {**_row("ensemble", 1.0), PREDICTED_PX: 3, TRUE_PX: 3}
    missed = {**_row("ensemble", 0.0), PREDICTED_PX: 0, TRUE_PX: 3}
    entry = summarize_rows([found, missed])["ensemble"]
    assert (entry["dice_mean"], entry["num_one_empty"], entry["num_undefined"]) == (0.5, 1, 0)


def test_distances_in_mm_of_those_that_have_them():
    rows = [{**_row("ensemble", 0.5, name=name), "hd95_px": 4.0, "assd_px": 2.0} for name in "ab"]
    rows[0] |= {"hd95_mm": 8.0, "assd_mm": 4.0}
    entry = summarize_rows(rows)["ensemble"]
    assert (entry["hd95_px_mean"], entry["hd95_mm_mean"], entry["num_cases_mm"]) == (4.0, 8.0, 1)
    assert "num_cases_mm" not in summarize_rows(rows[:1])["ensemble"]


def test_per_case_table(tmp_path):
    nan = float("nan")
    rows = [{**_row("ensemble", 0.25), "group": "p"}, _row("1", nan, nan, name="b,c")]
    write_per_case(tmp_path / "new" / "per_case.csv", table_of(rows))
    with open(tmp_path / "new" / "per_case.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["name", "group", "level", "dice", "iou", "precision", "recall"],
        ["a", "p", "ensemble", "0.25", "0.5", "0.5", "0.5"],
        ["b,c", "b,c", "1", "", "", "", ""],
    ]


def test_per_case_table_has_the_columns_that_any_row_has(tmp_path):
    rows = [
        _row("1", 0.5),
        {**_row("1", 0.5, name="b"), "hd95_px": 1.0, "assd_px": 1.0, "hd95_mm": 3.0, "assd_mm": 2.0},
    ]
    write_per_case(tmp_path / "per_case.csv", table_of(rows))
    with open(tmp_path / "per_case.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["hd95_mm"], second["hd95_mm"], second["assd_mm"]) == ("", "3.0", "2.0")


def test_ignored_pixels_have_a_column_where_any_row_has_them(tmp_path):
    write_per_case(tmp_path / "per_case.csv", table_of([{**_row("1", 0.5), "ignored_px": 7}]))
    assert (tmp_path / "per_case.csv").read_text().splitlines()[0].endswith(",recall,ignored_px")


def test_another_metric_does_not_hide_what_is_undefined():
    nan = float("nan")
    rows = [_row("ensemble", 0.2) | {"specificity": 0.5}, _row("ensemble", nan, nan) | {"specificity": 1.0}]
    assert summarize_rows(rows)["ensemble"]["num_undefined"] == 1
