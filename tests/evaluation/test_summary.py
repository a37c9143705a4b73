"""Summaries of runs, read back and in one line."""

import json

import pytest

from evaluation.summary import describe_metrics, read_summary


def _metrics(mean=0.77804, std=0.1, num_cases=100, num_undefined=0):
    return {
        "num_cases": num_cases,
        "dice_mean": mean,
        "dice_std": std,
        "iou_mean": mean,
        "iou_std": std,
        "num_undefined": num_undefined,
    }


def _run(folder, results, **entries):
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({"results": results, **entries}))
    return folder


def test_summary_by_folder_or_by_file(tmp_path):
    folder = _run(tmp_path / "run", {})
    assert read_summary(folder) == read_summary(folder / "summary.json") == {"results": {}}


def test_run_without_a_summary(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"summary\.json: expected the summary of a finished run, found none"):
        read_summary(tmp_path)


@pytest.mark.parametrize(
    ("of_level", "of_result"),
    [({"iou_std": "0.1"}, {}), ({"hd95_px_mean": "x"}, {}), ({"num_undefined": "1"}, {}), ({}, {"iteration": "last"})],
)
def test_a_number_that_is_none(tmp_path, of_level, of_result):
    metrics = {"ensemble": _metrics(), "1": {**_metrics(), **of_level}}
    folder = _run(tmp_path / "run", {"last": {"metrics": metrics, **of_result}})
    with pytest.raises(ValueError, match="expected a summary with results"):
        read_summary(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"3",
        b'"results"',
        b'{"result": 1}',
        b'{"results": {"last": {}}}',
        b'{"results": {"last": {"metrics": {"ensemble": {"num_cases": 3}}}}}',
        b'{"results": {}, "recipe": []}',
        b'{"results": {}, "seed": [0]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_file_that_is_no_summary(tmp_path, content):
    (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"summary\.json: expected a summary with results, found something else"):
        read_summary(tmp_path)


def test_line_of_metrics():
    line = describe_metrics({"ensemble": _metrics(0.5, 0.25, num_undefined=3), "1": _metrics(None, None)})
    assert line == "ensemble: Dice 50.00 (25.00) IoU 50.00 (25.00); 1: Dice none IoU none; 3 empty cases left out"


def test_line_of_no_metrics():
    assert describe_metrics({}) == ""
