"""What is empty or missing is said: masks without foreground, images without gaze, a best checkpoint that is none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import run
from datasets.remembered import hash_ids
from models import build_model

ON_CPU = ["--num_worker", "0", "--device", "cpu"]
FEATURES = (4, 8, 8, 8, 8, 4)
SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", *ON_CPU]
NOTHING_LEARNT = ["--lr", "1e-12", "--lr_min", "0", "--max_ite", "4", "--val_step", "2"]


def call(*argv) -> int:
    return run.main([str(word) for word in argv])


def train(root, exp, *more):
    return call("train", "--data", "kvasir", "--root", root, "--exp_path", exp, *SMALL, "--max_ite", "2", *more)


def checkpoint(path: Path) -> dict:
    return torch.load(path, weights_only=True)


@pytest.fixture
def sees_nothing(tmp_path):
    """Weights that are sure of background everywhere."""
    model = build_model("unet", in_channels=3, num_levels=2, features=FEATURES)
    for level in model.model:
        torch.nn.init.constant_(level.classifier.bias, -30.0)
    config = {"data": "kvasir", "channels": 3, "normalisation": "imagenet", "spatial_size": 32}
    config["model"] = {"name": "unet", "in_channels": 3, "num_levels": 2, "features": FEATURES}
    path = tmp_path / "nothing" / "weights.pth"
    path.parent.mkdir()
    torch.save({"state_dict": model.state_dict(), "config": config, "iteration": 1}, path)
    return path


@pytest.fixture
def without_gaze(tiny_root):
    """A table in which nobody looked at polyp2 for any time, and at polyp3 at all; no maps yet."""
    for path in (tiny_root / "gaze" / "crf_compat1").iterdir():
        path.unlink()
    table = pd.read_csv(tiny_root / "fixations.csv")
    table["CURRENT_FIX_DURATION"] *= table.IMAGE != "polyp2.jpg"
    table[table.IMAGE != "polyp3.jpg"].to_csv(tiny_root / "fixations.csv", index=False)
    return tiny_root


def prepare(root, table="fixations.csv"):
    return call("prepare", "--data", "kvasir", "--root", root, "--fixations", root / table, "--workers", "1")


def test_predict_counts_empty_masks_of_earlier_calls_too(tiny_root, tmp_path, sees_nothing, capsys):
    images, out = tiny_root / "images", tmp_path / "out"
    line = ["predict", "--ckpt_path", sees_nothing, "--out", out, *ON_CPU]
    assert call(*line, "--images", images / "polyp1.jpg") == 0
    assert "\n1 of 1 mask is empty\n" in capsys.readouterr().out
    assert call(*line, "--images", images) == 0
    assert "(1 were up to date), refused 0\n9 of 9 masks are empty, all of them\n" in capsys.readouterr().out
    assert call(*line[:4], tmp_path / "all", *ON_CPU, "--threshold", "0", "--images", images) == 0
    assert "are empty" not in capsys.readouterr().out


def test_evaluate_counts_the_empty_masks_of_every_level(tiny_root, sees_nothing, capsys):
    assert call("evaluate", "--root", tiny_root, "--ckpt_path", sees_nothing, *ON_CPU) == 0
    said = capsys.readouterr().out
    for level in ("ensemble", "level 1", "level 2"):
        assert f"\n{level}: 3 of 3 masks are empty, all of them\n" in said
    results = json.loads((sees_nothing.parent / "evaluate_test" / "summary.json").read_text())["results"]
    assert results["checkpoint"]["metrics"]["1"]["num_empty"] == 3


def test_a_dice_of_0_throughout_makes_the_first_the_best_and_is_said(tiny_root, tmp_path, sees_nothing, capsys):
    exp = tmp_path / "exp"
    assert train(tiny_root, exp, "--ckpt_path", sees_nothing, *NOTHING_LEARNT, "--max_minutes", "1e-6") == 130
    assert train(tiny_root, exp, *NOTHING_LEARNT, "--resume") == 0
    said = capsys.readouterr().out
    assert "Dice on the test set was 0 in all validations: model_best.pth is of the first of them, iteration 2," in said
    assert checkpoint(exp / "model_best.pth")["iteration"] == 2
    assert "ensemble: 3 of 3 masks are empty, all of them" in said.partition("[test, last")[2]
    assert "collapsed" not in said
    assert said.count("level 2 finds no foreground on any case yet; most likely it has to train longer") == 1
    # The first stays the best of equal ones also where the run goes on from a checkpoint in between.
    (exp / "model_latest.pth").write_bytes((exp / "model_best.pth").read_bytes())
    assert train(tiny_root, exp, *NOTHING_LEARNT, "--resume") == 0
    assert checkpoint(exp / "model_best.pth")["iteration"] == 2


def test_where_no_case_has_a_dice_there_is_no_best_checkpoint(tiny_root, tmp_path, sees_nothing, capsys):
    for path in (tiny_root / "masks").iterdir():
        with Image.open(path) as mask:
            empty = np.zeros(mask.size[::-1], np.uint8)
        Image.fromarray(empty).save(path)
    exp = tmp_path / "exp"
    assert train(tiny_root, exp, "--ckpt_path", sees_nothing, *NOTHING_LEARNT) == 0
    assert "no best checkpoint was chosen: there is no model_best.pth; take model_latest.pth" in capsys.readouterr().out
    assert call("evaluate", "--root", tiny_root, "--ckpt_path", exp / "model_best.pth", *ON_CPU) == 2
    assert "found none; beside it: model_latest.pth" in capsys.readouterr().err


def test_images_without_usable_gaze_are_left_out_on_demand(without_gaze, tmp_path, capsys):
    assert prepare(without_gaze) == 1
    said = capsys.readouterr().out
    assert "left out polyp3: no fixation in the table\n" in said and "left out polyp2: heatmap: expected" in said
    assert train(without_gaze, tmp_path / "exp") == 2
    error = capsys.readouterr().err
    assert "2 of 6 files are missing" in error and "run.py prepare has left out 2 of them (polyp3: no fix" in error
    assert "--skip_missing_gaze goes on without them" in error and "--fixations" not in error
    exp = tmp_path / "exp"
    assert train(without_gaze, exp, "--skip_missing_gaze", "--max_minutes", "1e-6") == 130
    assert "2 of 6 training images left out for want of a gaze map: polyp2, polyp3\n" in capsys.readouterr().out
    assert json.loads((exp / "args.json").read_text())["without_map"] == ["polyp2", "polyp3"]
    learnt = hash_ids(["polyp1", "polyp4", "polyp5", "polyp6"])
    assert checkpoint(exp / "model_latest.pth")["config"]["train_ids"] == learnt
    # A map that has been made since does not change what the run learns from.
    gaze = without_gaze / "gaze" / "crf_compat1"
    (gaze / "polyp3.jpg").write_bytes((gaze / "polyp6.jpg").read_bytes())
    assert train(without_gaze, exp, "--skip_missing_gaze", "--resume") == 0
    assert checkpoint(exp / "model_latest.pth")["config"]["train_ids"] == learnt
    assert json.loads((exp / "summary.json").read_text())["num_without_map"] == 2
    # One that is gone cannot be done without.
    (gaze / "polyp4.jpg").unlink()
    assert train(without_gaze, exp, "--skip_missing_gaze", "--resume") == 2
    assert "expected the 4 training images of the run to resume, in their order, found 3" in capsys.readouterr().err


def test_without_any_gaze_there_is_nothing_to_go_on_with(without_gaze, tmp_path, capsys):
    assert train(without_gaze, tmp_path / "exp", "--skip_missing_gaze") == 2
    assert "6 of 6 files are missing" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        train(without_gaze, tmp_path / "exp", "--skip_missing_gaze", "-m", "full_sup")
    assert "found -m full_sup, which needs no gaze" in capsys.readouterr().err


def test_the_other_part_of_a_table_may_have_been_prepared_before(without_gaze):
    table = pd.read_csv(without_gaze / "fixations.csv")
    table = table[table.IMAGE != "polyp2.jpg"]
    (without_gaze / "train.txt").write_text("polyp1\npolyp4\n")
    for name, code in (("polyp1.jpg", 1), ("polyp4.jpg", 0)):
        table[table.IMAGE == name].to_csv(without_gaze / "part.csv", index=False)
        assert prepare(without_gaze, "part.csv") == code


def test_the_baseline_goes_on_without_gaze_too(without_gaze, tmp_path, capsys):
    prepare(without_gaze)
    line = ["baseline", "--data", "kvasir", "--root", without_gaze, "--exp_path", tmp_path / "b", *ON_CPU]
    line += ["--spatial_size", "32"]
    assert call(*line) == 2
    assert "--skip_missing_gaze" in capsys.readouterr().err
    assert call(*line, "--skip_missing_gaze") == 0
    assert "2 of 6 training images left out" in capsys.readouterr().out


def test_a_training_image_that_is_not_there_and_many_left_out(tiny_root, capsys):
    for path in (tiny_root / "images").glob("polyp[4-9].jpg"):
        path.unlink()
    assert prepare(tiny_root) == 1
    said = capsys.readouterr().out
    assert "left out 6\n  left out polyp4: no image polyp4.jpg\n" in said
    assert "  ... and 1 more, all in gaze/report.json\n" in said and "should have a map" not in said
    for path in (tiny_root / "gaze" / "crf_compat1").glob("polyp[4-9].jpg"):
        path.unlink()
    assert prepare(tiny_root) == 1
    assert "  3 of them should have a map: train --skip_missing_gaze" in capsys.readouterr().out


def test_what_a_report_or_figure_has_less_of_is_said(tiny_root, tmp_path, sees_nothing, capsys):
    table = pd.read_csv(tiny_root / "fixations.csv")
    table[table.IMAGE == "polyp8.jpg"].to_csv(tmp_path / "few.csv", index=False)
    report, said = ["--report", "--fixations", tmp_path / "few.csv"], "2 of 3 cases have no fixation in "
    evaluate = ["evaluate", "--root", tiny_root, "--ckpt_path", sees_nothing, "--save_pred", *ON_CPU]
    assert call(*evaluate, "--exp_path", tmp_path / "a", *report) == 0
    assert said in capsys.readouterr().out
    (tiny_root / "masks" / "polyp7.jpg").unlink()
    assert call("compare", f"one={tmp_path / 'a'}", f"two={tmp_path / 'a'}", "--to", tmp_path / "b", *report) == 0
    out = capsys.readouterr().out
    assert said in out and "1 of 3 cases have no mask in " in out
    figure = ["figure", "--data", "kvasir", "--root", tiny_root, "--runs", tmp_path / "a", "--to", tmp_path / "f.png"]
    assert call(*figure, "--worst", "5") == 0
    assert "--worst 5: expected as many cases with a Dice, found 3\n" in capsys.readouterr().out
