"""``run.py compare`` as a user types it."""

import csv
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

import run
from evaluation.comparison import compare

NAMES = [f"case{index}" for index in range(8)]


@pytest.fixture
def results(tmp_path):
    """A function that writes a results folder with a Dice a case, and gives its path."""

    def write(name, dice, names=NAMES, groups=None, **summary):
        folder = tmp_path / name
        folder.mkdir()
        lines = ["name,group,level,dice,hd95_px"]
        for case, value, group in zip(names, dice, groups or names, strict=True):
            lines += [f'"{case}",{group},{level},{value},{10 * (1 - value)}' for level in ("ensemble", "1")]
        (folder / "per_case.csv").write_text("\n".join(lines) + "\n")
        if summary:
            (folder / "summary.json").write_text(json.dumps(summary))
        return str(folder)

    return write


STEPS = np.arange(1, 9) / 100


def test_table_numbers_cases_and_figure(results, tmp_path, capsys):
    base, better = results("base", [0.5] * 8), results("better", 0.5 + STEPS)
    assert run.main(["compare", base, better, f"worse={results('w', 0.5 - STEPS)}", "--to", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    # The interval of the mean is close to 4.5 +- 1.96 * 2.29 / sqrt(8).
    assert lines[2].startswith("| Dice % | better | 8 | 50.00 | 54.50 | +4.50 (+2.")
    assert lines[2].endswith("| +4.50 | 0.0078 | 0.016 | 8 / 0 / 0 |")
    assert lines[3].startswith("| Dice % | worse | 8 | 50.00 | 45.50 | -4.50 (-6.")
    assert lines[4].startswith("| HD95 px | better | 8 | 5.00 | 4.55 | -0.45 (-0.6")
    assert lines[4].endswith("| 8 / 0 / 0 |") and lines[5].endswith("| 0 / 0 / 8 |")
    assert "Baseline: base. Level: ensemble." in printed and "on cases, each a group of its own" in printed
    out = tmp_path / "out"
    assert sorted(os.listdir(out)) == sorted(
        ["comparison.csv", "comparison.md", "comparison.pdf", "comparison.png", "paired.csv"]
    )
    assert printed.startswith((out / "comparison.md").read_text())
    numbers = list(csv.DictReader((out / "comparison.csv").open()))
    assert [row["run"] for row in numbers] == ["better", "worse", "better", "worse"]
    assert float(numbers[0]["wilcoxon_p"]) == 2 / 256 and float(numbers[0]["holm_p"]) == 4 / 256
    cases = list(csv.DictReader((out / "paired.csv").open()))
    assert [row["name"] for row in cases] == NAMES
    assert float(cases[0]["dice better - base"]) == pytest.approx(0.01) and float(cases[0]["dice worse"]) == 0.49


def test_the_same_input_gives_the_same_bytes(results, tmp_path):
    pair = [results("a", [0.5] * 8), results("b", 0.5 + STEPS)]
    for out in ("one", "two"):
        assert run.main(["compare", *pair, "--metric", "dice", "--level", "1", "--to", str(tmp_path / out)]) == 0
    for name in os.listdir(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_without_a_folder_nothing_is_written_and_one_run_needs_no_holm(results, tmp_path, capsys):
    pair = [results("a", [0.5] * 8), results("b", 0.5 + STEPS)]
    before = sorted(tmp_path.rglob("*"))
    assert run.main(["compare", *pair, "--metric", "hd95_px"]) == 0
    printed = capsys.readouterr().out
    assert "Holm" not in printed and "Dice" not in printed
    assert sorted(tmp_path.rglob("*")) == before


def test_older_tables_and_files_by_name(tmp_path, capsys):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        rows = "".join(f"{case},ensemble,0.5,0.25\n" for case in NAMES)
        (tmp_path / name / "per_case.csv").write_text("name,level,dice,iou\n" + rows)
    assert run.main(["compare", str(tmp_path / "old" / "per_case.csv"), f"X={tmp_path / 'new'}"]) == 0
    printed = capsys.readouterr().out
    assert "| IoU % | X | 8 | 25.00 | 25.00 | +0.00 (+0.00 to +0.00) | +0.00 | 1 | 0 / 8 / 0 |" in printed
    assert "Baseline: old." in printed and "X: all differences are zero, so p is 1." in printed


def test_patients_are_said(results, capsys):
    groups = ["p", "p", "q", "q", "r", "r", "s", "s"]
    pair = [results("a", [0.5] * 8, groups=groups), results("b", 0.5 + STEPS, groups=groups)]
    assert run.main(["compare", *pair]) == 0
    printed = capsys.readouterr().out
    assert "resamples of groups (patients), seed 0" in printed and "b: 8 cases of 4 groups." in printed
    assert "b: no test, as fewer than 6 group means cannot tell" in printed


def test_names_from_outside_stay_text(results, tmp_path, capsys):
    cases = ["<img onerror=alert(1)>", "a|b", "=HYPERLINK(1)", "-up", "$x$", "`c`", "ü", "h"]
    name = "<img x>|[l](javascript:x) $\\frac$ `&"
    pair = [results("a", [0.5] * 8, names=cases), f"{name}={results('b', 0.5 + STEPS, names=cases)}"]
    assert run.main(["compare", *pair, "--to", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert "<" not in text and "[l]" not in text.replace("\\[l\\]", "")
    # Every row has as many cells as the header.
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert [row["name"] for row in csv.DictReader((tmp_path / "out" / "paired.csv").open())] == cases
    assert len(os.listdir(tmp_path / "out")) == 5


def test_different_evaluations_are_told(results, capsys):
    first = results("a", [0.5] * 8, data="kvasir", mode="gaze_sup")
    second = results("b", [0.5] * 8, data="folder", split="val", threshold=0.5)
    assert run.main(["compare", first, second]) == 0
    printed = capsys.readouterr().out
    assert "Warning: the runs were evaluated with different data: a kvasir, b folder." in printed
    assert "different split: a test, b val." in printed and "threshold" not in printed


def test_training_scores_at_one_half_and_names_its_data_in_the_recipe(results, capsys):
    first = results("a", [0.5] * 8, mode="gaze_sup", recipe={"root": "data/x"})
    second = results("b", [0.5] * 8, split="test", threshold=0.3, root="data/x/", spacing_mm=[0.5, 1.0])
    third = results("c", [0.5] * 8, root="data/y", spacing_mm=[1.0, 0.5])
    assert run.main(["compare", first, second, third]) == 0
    printed = capsys.readouterr().out
    assert "different threshold: a 0.5, b 0.3." in printed and "different split" not in printed
    assert "different root: a data/x, b data/x/, c data/y." in printed
    assert "\\[0.5, 1.0\\], c \\[1.0, 0.5\\]." in printed
    assert run.main(["compare", first, second]) == 0
    printed = capsys.readouterr().out
    assert "different root" not in printed
    # The one goes by DICOM headers, if there are any.
    assert "different spacing_mm: a as DICOM headers say, b \\[0.5, 1.0\\]." in printed


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        (NAMES[:7], [], "found 7 cases, 1 only in"),
        ([*NAMES[:7], "other"], [], "('other'); evaluate both on the same cases"),
        (NAMES, ["--metric", "iou"], "expected the column iou (--metric), found dice, hd95_px"),
        (NAMES, ["--level", "2"], "expected the level '2' (--level), found ensemble, 1"),
        ([*NAMES[:7], NAMES[0]], [], "row 16: expected every case once a level, found 'case0'"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(results, tmp_path, capsys, names, more, message):
    pair = [results("a", [0.5] * 8), results("b", [0.5] * len(names), names=names)]
    assert run.main(["compare", *pair, *more, "--to", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "out").exists()


def test_names_that_collide_and_too_few_runs(results, capsys):
    first = results("a", [0.5] * 8)
    for runs, message in (
        ([first], "expected a baseline and one run or more, found 1"),
        ([first, first], "expected a name of its own for each run, found 'a' twice"),
    ):
        assert run.main(["compare", *runs]) == 2
        assert message in capsys.readouterr().err


def test_a_broken_summary_is_named(results, capsys):
    pair = [results("a", [0.5] * 8, data="x"), results("b", [0.5] * 8)]
    for content in ("{", "[]"):
        with open(os.path.join(pair[0], "summary.json"), "w") as file:
            file.write(content)
        assert run.main(["compare", *pair]) == 2
        assert "summary.json: expected a summary" in capsys.readouterr().err


def test_where_nothing_can_be_written_nothing_is_left(results, tmp_path, capsys, monkeypatch):
    pair = [results("a", [0.5] * 8), results("b", [0.5] * 8)]
    (tmp_path / "file").write_text("kept")
    assert run.main(["compare", *pair, "--to", str(tmp_path / "file")]) == 2
    assert (tmp_path / "file").read_text() == "kept" and "file" in capsys.readouterr().err

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reporting.comparison.write_figure", full)
    assert run.main(["compare", *pair, "--to", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists() and "No space left" in capsys.readouterr().err


@pytest.mark.parametrize("before", [True, False])
def test_a_report_that_is_cut_off_leaves_what_was_there(results, tmp_path, monkeypatch, before):
    runs, out = [results("base", [0.5] * 8), results("better", 0.5 + STEPS)], tmp_path / "out"
    if before:
        assert run.main(["compare", *runs, "--to", str(out)]) == 0
    there = {path.name: path.read_bytes() for path in out.glob("*")}

    def cut_off(folder, *_, **__):
        (folder / "report.html").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("reporting.compare_report.write_report", cut_off)
    assert run.main(["compare", *runs, "--to", str(out), "--report"]) == 130
    assert {path.name: path.read_bytes() for path in out.glob("*")} == there and out.exists() == before
    assert run.main(["compare", *runs, "--to", str(out)]) == 0


def test_from_python_by_paths_and_levels(results):
    one, other = (
        Path(results(name, STEPS, root=root)) for name, root in (("a", "data"), ("b", os.path.abspath("data")))
    )
    compared = compare([one, other], level=1)
    assert compared.comparisons[0].level == "1" and not compared.notes


def test_accents_may_be_written_either_way(results):
    names = [f"p{index} é" for index in range(len(STEPS))]
    one, other = (
        results(form, STEPS, [unicodedata.normalize(form, name) for name in names]) for form in ("NFC", "NFD")
    )
    assert len(compare([one, other]).paired) == len(STEPS)
