"""Experiments as Markdown and as CSV, by hand."""

import csv
from pathlib import Path

import pytest

from evaluation.experiments import FinishedRun, group_runs
from reporting.tables import CSV_COLUMNS, LEGEND, experiments_csv, experiments_table


def result(dice, iteration=15000, levels=("ensemble",), num_undefined=0):
    entry = {"num_cases": 100, "dice_mean": dice, "iou_mean": dice and dice / 2, "num_undefined": num_undefined}
    entry |= dict.fromkeys(("dice_std", "iou_std"), None if dice is None else 0.125)
    return {"iteration": iteration, "metrics": dict.fromkeys(levels, entry)}


def run(seed, name="exp", what="gaze", recipe="same", **results):
    summary = {"what": what, "seed": seed, "results": results, "recipe": {"name": recipe}}
    return FinishedRun(name, Path(f"{name}/seed{seed}"), summary)


def other(name, **results):
    return FinishedRun(name, Path(name), {"what": "trivial", "results": results})


def test_three_seeds_side_by_side():
    runs = [run(seed, last=result(dice), test_selected=result(0.75)) for seed, dice in enumerate((0.5, 0.6, 0.7))]
    assert experiments_table(group_runs(runs)).splitlines() == [
        "| run | what | seeds | cases | iterations | metric | last iteration | "
        "test selected (optimistic, as released) |",
        "|---|---|---|---|---|---|---|---|",
        "| exp | gaze | 3 (0, 1, 2) | 100 | 15,000 | Dice % | 60.00 ± 10.00 (12.50) | 75.00 ± 0.00 (12.50) |",
        "| exp | gaze | 3 (0, 1, 2) | 100 | 15,000 | IoU % | 30.00 ± 5.00 (12.50) | 37.50 ± 0.00 (12.50) |",
        "",
        LEGEND,
    ]


def test_one_seed_and_results_that_only_some_have():
    runs = [
        run(5, "one", last=result(0.5), validation_selected=result(0.25)),
        run(0, "two", recipe="other", last=result(0.5)),
        run(1, "two", recipe="other", last=result(None, num_undefined=100)),
        run(0, "none", recipe="third", last=result(None, num_undefined=100)),
    ]
    lines = experiments_table(group_runs(runs)).splitlines()
    assert lines[0].endswith("| last iteration | validation selected |")
    assert lines[2].endswith("| 1 (5) | 100 | 15,000 | Dice % | 50.00 ± – (12.50) | 25.00 ± – (12.50) |")
    assert lines[4].endswith("| 2 (0, 1) | 100 | 15,000 | Dice % | 50.00 ± – (12.50), 1 of 2 seeds | – |")
    assert lines[6].endswith("| Dice % | none | – |")
    assert "two, last: 100 empty cases with empty predictions in 2 runs, left out." in lines
    assert "none, last: 100 empty cases with empty predictions, left out." in lines


def test_results_of_no_training_have_a_table_of_their_own():
    runs = [other("trivial", everything=result(0.25, None), mean_map=result(None, None))]
    table = experiments_table(group_runs(runs))
    assert table.splitlines() == [
        "| run | what | result | iteration | cases | Dice % (std over images) | IoU % (std over images) |",
        "|---|---|---|---|---|---|---|",
        "| trivial | trivial | everything |  | 100 | 25.00 (12.50) | 12.50 (12.50) |",
        "| trivial | trivial | mean map |  | 100 | none | none |",
    ]
    both = experiments_table(group_runs([run(0, last=result(0.5)), *runs]))
    assert both.index(LEGEND) < both.index(table.splitlines()[0])


def test_a_bar_in_a_name_starts_no_cell_and_a_line_break_no_row():
    table = experiments_table(group_runs([run(0, "a|b\nc", last=result(0.5))]))
    assert table.splitlines()[2].startswith("| a\\|b c | gaze |")


def test_what_is_missing_is_named():
    table = experiments_table(group_runs([run(0, "unmasked")]), [Path("exp/seed1"), Path("exp/seed2")])
    assert table == "unmasked: nothing was evaluated.\n\nWithout a summary yet, left out: exp/seed1, exp/seed2.\n"
    assert experiments_table(group_runs([run(0, "_<b>_")])) == "\\_&lt;b&gt;\\_: nothing was evaluated.\n"


def test_csv_has_a_row_a_result_metric_and_level():
    runs = [run(seed, last=result(dice, levels=("ensemble", "1"))) for seed, dice in enumerate((0.25, 0.75))]
    experiments = group_runs([*runs, other("a,b", everything=result(None, None))])
    rows = list(csv.reader(experiments_csv(experiments).splitlines()))
    header = "experiment,result,metric,level,n_seeds,mean,std_over_seeds,std_over_images,num_cases,num_undefined"
    assert rows[0] == header.split(",") and tuple(rows[0][:4]) == CSV_COLUMNS
    assert [row[:4] for row in rows[1:5]] == [
        ["exp", "last", "dice", "ensemble"],
        ["exp", "last", "dice", "1"],
        ["exp", "last", "iou", "ensemble"],
        ["exp", "last", "iou", "1"],
    ]
    # The sample's deviation of 0.25 and 0.75 is 0.5 / sqrt(2).
    assert rows[1][4:6] == ["2", "0.5"]
    assert float(rows[1][6]) == pytest.approx(0.5 / 2**0.5)
    assert rows[1][7:] == ["0.125", "100", "0"]
    assert rows[5] == ["a,b", "everything", "dice", "ensemble", "0", "", "", "", "100", "0"]
