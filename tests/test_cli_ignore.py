"""A folder whose masks hold an ignore value, as a user works with it: train, evaluate, compare, baseline, figure."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import run

NAMES = ("a", "b", "c", "d", "e")
SMALL = ["--features", "4,4,4,4,4,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]
HEIGHT, WIDTH = 20, 24


def _mask(name):
    """e is ignored whole; of the others the three uppermost rows, 72 pixels, and more."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, 6:18] = 255
    mask[7:13, 8:16] = 1
    mask[:3] = 255
    return np.full_like(mask, 255) if name == "e" else mask


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("ignore") / "data"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    rng, rows = np.random.default_rng(0), []
    for name in NAMES:
        image = np.where((_mask("a") == 1)[..., None], 180, 60) + rng.normal(0, 9, (HEIGHT, WIDTH, 3))
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / "images" / f"{name}.png")
        Image.fromarray(_mask(name)).save(root / "masks" / f"{name}.png")
        rows += [(f"{name}.png", x, y, 200) for x, y in ((0.5, 0.5), (0.5, 0.05))]
    columns = ["IMAGE", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "fixations.csv", index=False)
    (root / "train.txt").write_text("a\nb\n")
    (root / "test.txt").write_text("c\nd\ne\n")
    (root / "dataset.toml").write_text("ignore_value = 255\n")
    return root


def _train(root, *more):
    command = ["train", "-m", "full_sup", "--data", "folder", "--root", root, "--exp_path", root.parent / "exp", *SMALL]
    return run.main([*map(str, command), "--max_ite", "2", "--val_step", "2", *more])


@pytest.fixture(scope="module")
def exp(root):
    assert _train(root) == 0
    return root.parent / "exp"


@pytest.fixture(scope="module")
def evaluated(root, exp):
    folder = root.parent / "evaluated"
    checkpoint = str(exp / "model_latest.pth")
    options = ["--exp_path", str(folder), "--report", "--save_pred", "--device", "cpu", "--num_worker", "0"]
    assert run.main(["evaluate", "--root", str(root), "--ckpt_path", checkpoint, *options]) == 0
    return folder


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_checkpoint_and_summary_remember_the_ignore_value(exp):
    checkpoint = torch.load(exp / "model_latest.pth", weights_only=True)
    assert checkpoint["config"]["ignore_value"] == 255
    assert json.loads((exp / "summary.json").read_text())["recipe"]["ignore_value"] == 255


def test_a_run_is_not_resumed_with_another(root, exp, capsys):
    settings = root / "dataset.toml"
    before = settings.read_text()
    settings.write_text("")
    for path in (root / "masks").iterdir():
        Image.fromarray((_mask(path.stem) == 1).astype(np.uint8)).save(path)
    assert _train(root, "--resume") == 2
    assert "expected the ignore_value of the run to resume, 255, found None" in capsys.readouterr().err
    settings.write_text(before)
    for path in (root / "masks").iterdir():
        Image.fromarray(_mask(path.stem)).save(path)


def test_scores_are_those_of_the_pixels_that_are_left(evaluated):
    rows = {row["name"]: row for row in _rows(evaluated / "per_case.csv") if row["level"] == "ensemble"}
    assert [rows[name]["ignored_px"] for name in "cde"] == ["144", "144", "480"]
    assert rows["e"]["dice"] == rows["e"]["hd95_px"] == ""
    for name in "cd":
        mask, prediction = _mask(name), np.array(Image.open(evaluated / "predictions" / f"{name}.png")) > 0
        both = ((mask == 1) & prediction).sum()
        expected = 2 * both / ((mask == 1).sum() + (prediction & (mask != 255)).sum())
        assert float(rows[name]["dice"]) == pytest.approx(expected)
    summary = json.loads((evaluated / "summary.json").read_text())
    assert summary["ignore_value"] == 255
    assert summary["results"]["checkpoint"]["metrics"]["ensemble"]["num_cases"] == 3


def test_the_report_shows_them(evaluated):
    text = (evaluated / "report.html").read_text()
    cases = [json.loads(text) for text in re.findall(r'id="case-\d+">(.*?)</script>', text)]
    assert [case["ignoredPx"] for case in cases] == [144, 144, 480]
    assert all(case["ignore"].startswith("M") for case in cases)


def test_comparing_with_an_evaluation_that_ignored_nothing_is_told(root, evaluated, tmp_path, capsys):
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "per_case.csv").write_text((evaluated / "per_case.csv").read_text())
    summary = json.loads((evaluated / "summary.json").read_text())
    del summary["ignore_value"]
    (plain / "summary.json").write_text(json.dumps(summary))
    to = ["--to", str(tmp_path / "compared"), "--report"]
    assert run.main(["compare", str(evaluated), str(plain), *to]) == 0
    assert "different ignore_value: evaluated 255, plain none." in capsys.readouterr().out
    assert '"ignoredPx":144' in (tmp_path / "compared" / "report.html").read_text()
    assert run.main(["compare", f"x={evaluated}", f"y={evaluated}"]) == 0
    assert "ignore_value" not in capsys.readouterr().out


def test_gaze_is_held_against_what_is_left(root, tmp_path, capsys):
    command = ["--data", "folder", "--root", str(root), "--fixations", str(root / "fixations.csv"), "--workers", "1"]
    for name in ("prepare", "assess"):
        assert run.main([name, *command]) == 0
        rows = {row["name"]: row for row in _rows(root / "gaze" / "per_image.csv")}
        # One of the two fixations is on ignored rows.
        assert (rows["a"]["share_inside"], rows["a"]["ignored_px"]) == ("1.000000", "144")
        assert rows["e"]["share_inside"] == rows["e"]["crf_dice_0.5"] == ""


def test_baseline_and_figure(root, exp, evaluated, tmp_path, capsys):
    run.main(["prepare", "--data", "folder", "--root", str(root), "--fixations", str(root / "fixations.csv")])
    data = ["--data", "folder", "--root", str(root)]
    folder = tmp_path / "baseline"
    assert run.main(["baseline", *data, "--spatial_size", "16", "--exp_path", str(folder), "--device", "cpu"]) == 0
    everything = _rows(folder / "per_case_everything.csv")[0]
    assert float(everything["precision"]) == pytest.approx(48 / (480 - 144)) and everything["ignored_px"] == "144"
    assert run.main(["compare", str(folder / "per_case_everything.csv"), str(evaluated), "--metric", "dice"]) == 0
    assert "ignore_value" not in capsys.readouterr().out
    options = ["--ids", "c", "e", "--runs", str(evaluated), "--dice", "--to", str(tmp_path / "figure.png")]
    assert run.main(["figure", *data, *options]) == 0
    assert "grey hatching: not scored" in capsys.readouterr().out
