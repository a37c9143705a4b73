"""Numbers of cases and runs as columns, in an order that a reader expects."""

import math

import numpy as np

from reporting.html.index import ordered_levels, runs_and_values, table
from reporting.html.records import ReportRun


def test_ensemble_comes_first_and_level_10_after_2():
    assert ordered_levels(["10", "other", "2", "ensemble", "2"]) == ["ensemble", "2", "10", "other"]


def test_metrics_know_unit_and_direction_and_overlaps_come_first():
    row = {"hd95_mm": 1.5, "of_no_measure": 1, "dice": 0.5}
    dice, distance = runs_and_values([ReportRun("a")], [{"a": {"ensemble": row}}], {"a": 0})["metrics"]
    assert (dice["unit"], dice["scale"], dice["better"]) == ("%", 100, 1)
    assert (distance["title"], distance["unit"], distance["scale"], distance["better"]) == ("HD95", "mm", 1, -1)


def test_values_by_run_level_metric_and_case():
    metrics = {"num_cases": 2, "num_undefined": 1, "num_one_empty": 1, "dice_mean": 0.5}
    runs = [ReportRun("a", metrics={"ensemble": metrics}), ReportRun("b")]
    rows = [
        {"a": {"ensemble": {"dice": 0.1234567890123456, "hd95_px": math.nan}, "1": {"dice": np.float32(0.25)}}},
        {"b": {"ensemble": {"dice": 1}}},
    ]
    index = runs_and_values(runs, rows, {"a": 3, "b": 0})
    assert [metric["key"] for metric in index["metrics"]] == ["dice", "hd95_px"]
    assert index["levels"] == ["ensemble", "level 1"]
    a, b = index["values"]
    assert a[0][0] == [0.123456789012, None] and a[1][0] == [0.25, None]
    assert math.isnan(a[0][1][0])
    assert b == [[[None, 1.0], [None, None]], [[None, None], [None, None]]]
    described = index["runs"][0]
    assert described["numMaps"] == 3
    assert described["levels"] == [metrics, {}] and index["runs"][1]["levels"] == [{}, {}]


def test_table_is_text():
    rows = [{"metric": "dice\n", "cases": 10}, {"metric": "iou", "cases": 9}]
    assert table(rows) == {"columns": ["metric", "cases"], "rows": [["dice\\n", "10"], ["iou", "9"]]}
    assert table([]) is None and table(None) is None
