"""The benchmarks run, and what they hold against each other is equal; times are not tested."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.evaluate import largest_difference
from benchmarks.step import NUM_STEPS, STEPS, STRONG, in_a_process_of_its_own, measure, plain_propagation, together
from models.propagation import propagate

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("what", ["heatmap", "crf", "shortcut", "prepare"])
def test_gaze(tiny_root, tmp_path, what, request):
    if what in ("crf", "prepare"):
        request.getfixturevalue("original_crf")
    command = [
        sys.executable,
        "benchmarks/gaze.py",
        what,
        "--data",
        "kvasir",
        "--root",
        str(tiny_root),
        "--images",
        "3",
    ]
    command += ["--fixations", str(tiny_root / "fixations.csv"), "--workers", "1", "--to", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert f"python benchmarks/gaze.py {what}" in table
    assert ("| 5 | 3 |" if what == "shortcut" else "| ours | 3 |") in table
    if what == "heatmap":
        assert "0 in 0 maps differ" in table or "by at most 1/255" in table
    if what == "crf":
        assert ", 0 differ in any bit" in table
    assert not (tiny_root / "gaze" / "heatmap").exists()


def test_loader(tiny_root, tmp_path):
    before = sorted(tiny_root.rglob("*"))
    command = [sys.executable, "benchmarks/loader.py", "--data", "kvasir", "--root", str(tiny_root), "--epochs", "1"]
    command += ["--spatial_size", "32", "--batch_size", "4", "--num_worker", "0,1", "--to", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table.count("| memory, later epochs |") == 2 and "bit-equal" in table
    assert sorted(tiny_root.rglob("*")) == before


def test_propagation(tmp_path):
    command = [sys.executable, "benchmarks/step.py", "propagation", "--size", "16", "--rounds", "1", "--ways", "ours"]
    done = subprocess.run(
        [*command, "--to", str(tmp_path / "table.md")], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    table = (tmp_path / "table.md").read_text()
    assert "python benchmarks/step.py propagation --size 16" in table and "\n| ours |" in table
    difference = float(re.search(r"outputs and gradients of scale 1: (\S+)\.", table)[1])
    assert 0 <= difference < 1e-5


WAYS = [("step", way) for way in STEPS if "compile" not in way] + [("strong", way) for way in STRONG]


@pytest.mark.parametrize(("what", "way"), WAYS)
def test_every_way_to_make_a_step(what, way):
    options = {"what": what, "way": way, "batch_size": 2, "size": 32, "features": "4,8,8,8,8,4", "device": "cpu"}
    result = measure(argparse.Namespace(**options))
    assert len(result["seconds"]) == NUM_STEPS and min(result["seconds"]) > 0 and result["gb"] >= 0


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ((1, "", "Traceback\nMemoryError: why\n"), "ours: MemoryError: why\n"),
        ((-9, "", ""), "ours: ended with code -9\n"),
    ],
)
def test_a_way_that_fails_costs_the_others_nothing(monkeypatch, capsys, result, expected):
    code, output, error = result
    done = subprocess.CompletedProcess([], code, output, error)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    options = {"what": "step", "batch_size": 1, "size": 32, "features": "4,8,8,8,8,4", "device": "cpu"}
    assert in_a_process_of_its_own("ours", argparse.Namespace(**options)) == {}
    assert capsys.readouterr().err == expected


def test_rounds_together():
    rounds = [{"seconds": [1.0, 9.0], "gb": 2.0}, {"seconds": [3.0], "gb": 4.0}]
    assert together(rounds) == {"seconds": 3.0, "gb": 4.0}
    assert together([*rounds, {}]) == {}, "one that failed"


def test_cases_without_a_value_hide_no_difference_in_the_evaluation():
    nan = float("nan")
    first, second = [pd.DataFrame({"dice": [nan, 0.5], "iou": [nan, iou]}) for iou in (0.25, 0.375)]
    assert largest_difference(first, first) == 0 and largest_difference(first, second) == 0.125
    second.loc[1, "iou"] = nan
    assert largest_difference(first, second) == float("inf")


def test_the_plain_formula_is_that_of_the_model():
    torch.manual_seed(0)
    feature = torch.randn(2, 8, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(plain_propagation(feature), propagate(feature, feature))


def test_evaluate(tiny_root, tmp_path):
    command = [sys.executable, "benchmarks/evaluate.py", "--data", "kvasir", "--root", str(tiny_root), "--rounds", "1"]
    command += ["--images", "2", "--spatial_size", "16", "--batch_size", "2", "--to", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    table = (tmp_path / "table.md").read_text()
    assert "| plain way: batch of one, propagation computed |" in table and "| ours, batch of 2 |" in table
    differences = re.findall(r"\| (\d[\d.e-]*) \|$", table, re.MULTILINE)
    assert len(differences) == 4 and max(map(float, differences)) < 0.02


def test_augment(tmp_path):
    """Its three ways are compared before they are measured."""
    to = tmp_path / "table.md"
    command = [sys.executable, "benchmarks/augment.py", "--spatial_size", "64", "--repeats", "2", "--to", str(to)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\| (OpenCV|torch|torchvision v2) \|", to.read_text(), re.MULTILINE) == [
        *("OpenCV", "torch", "torchvision v2")
    ]
