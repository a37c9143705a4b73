"""An objective, a network, a data set, a metric and a tracker of somebody's own, as docs/architecture.md adds them."""

import json
import re
import runpy
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing import event_accumulator

import run
from datasets.recordings.formats import TABLE_FORMATS
from datasets.specs import DATASETS, DatasetSpec
from evaluation.metrics import MEASURES
from losses.objectives import OBJECTIVES, GazeSupervision
from models.registry import MODELS
from training.settings import Settings
from utils.settings import NOT_NEGATIVE, setting

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"
REGISTRIES = (OBJECTIVES, MODELS, DATASETS, MEASURES, TABLE_FORMATS)


@pytest.fixture
def extended(monkeypatch):
    """Each piece of the document, run alone, with what it registers taken back afterwards."""
    pieces = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(pieces) == len(REGISTRIES)
    for piece, registry in zip(pieces, REGISTRIES, strict=True):
        before = dict(registry)
        exec(piece, {"__name__": "mine"})
        (key,) = registry.keys() - before.keys()
        monkeypatch.setitem(registry, key, registry.pop(key))


def test_one_of_each_trains_evaluates_and_is_compared(extended, tiny_root, tmp_path, capsys):
    root = shutil.copytree(tiny_root, tmp_path / "polyps")
    for name, softness in (("a", "0.2"), ("b", "0.4")):
        line = f"-m soft_gaze --softness {softness} --model tiny --feat_dim 4 --data polyps --root {root} --device cpu"
        line += f" --spatial_size 32 -bs 2 --max_ite 2 --num_worker 0 --num_levels 2 --exp_path {tmp_path / name}"
        assert run.main(["train", *line.split()]) == 0
    assert run.main(["train", *line.split(), "--resume"]) == 0
    assert run.main(["train", *line.replace("0.4", "0.3").split(), "--resume", "--max_ite", "2"]) == 2
    assert "softness" in capsys.readouterr().err
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["what"] == "softened gaze, 2 levels, by 0.2" and summary["recipe"]["softness"] == 0.2
    for name in "ab":
        checkpoint = str(tmp_path / name / "model_latest.pth")
        assert set(torch.load(checkpoint)["state_dict"]) > {"model.0.feature.weight", "model.1.classifier.bias"}
        assert run.main(["evaluate", "--root", str(root), "--ckpt_path", checkpoint, "--device", "cpu"]) == 0
        assert "Specificity %" in capsys.readouterr().out
    assert run.main(["export", "--ckpt_path", checkpoint, "--to", str(tmp_path / "small.pth")]) == 0
    card = (tmp_path / "small.pth.md").read_text()
    assert "Data `polyps`, as named at training: unknown to this project." in card
    assert run.main(["summarize", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "softened gaze, 2 levels, by 0.4" in capsys.readouterr().out
    results = [str(tmp_path / name / "evaluate_test") for name in "ab"]
    assert run.main(["compare", *(f"{name}={path}" for name, path in zip("ab", results, strict=True))]) == 0
    assert "Specificity %" in capsys.readouterr().out


def test_an_objective_chooses_its_best_by_any_metric(tiny_root, tmp_path, monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "by_recall", type("ByRecall", (GazeSupervision,), {"selected_by": "recall"}))
    line = f"-m by_recall --features 4,8,8,8,8,4 --data kvasir --root {tiny_root} --device cpu --spatial_size 32 -bs 2"
    line += f" --max_ite 1 --num_worker 0 --num_levels 1 --exp_path {tmp_path / 'exp'}"
    assert run.main(["train", *line.split()]) == 0
    assert torch.load(tmp_path / "exp" / "model_best.pth")["selected_by"] == "recall"


@pytest.mark.parametrize(("metric", "best"), [("hd95_px", min), ("recall", max)])
def test_the_best_mean_is_the_lowest_of_a_distance(tiny_root, tmp_path, monkeypatch, metric, best):
    monkeypatch.setitem(OBJECTIVES, "by", type("By", (GazeSupervision,), {"selected_by": metric}))
    line = f"-m by --features 4,8,8,8,8,4 --data kvasir --root {tiny_root} --device cpu --spatial_size 32 -bs 2"
    line += (
        f" --max_ite 3 --val_step 1 --num_worker 0 --num_levels 1 --lr 0.5 --lr_min 0.5 --exp_path {tmp_path / 'exp'}"
    )
    assert run.main(["train", *line.split()]) == 0
    events = event_accumulator.EventAccumulator(str(tmp_path / "exp")).Reload()
    means = [event.value for event in events.Scalars(f"test_ensemble/{metric}_mean")]
    chosen = torch.load(tmp_path / "exp" / "model_best.pth")
    assert chosen["best_performance"] == pytest.approx(best(means)) and len(means) == 3


def test_objectives_keep_their_own_defaults_and_settings(monkeypatch):
    @dataclass(frozen=True)
    class Weak(GazeSupervision):
        cons_weight: float = setting(0.5, "weight", NOT_NEGATIVE)
        extra: float = setting(1.0, "its own", NOT_NEGATIVE)

    monkeypatch.setitem(OBJECTIVES, "weak", Weak)
    asked = {"data": "kvasir", "root": "R"}
    assert Settings.of(**asked).objective == {"seg_loss": "bce", "cons_weight": 3.0}
    assert Settings.of(**asked, mode="weak").objective == {"seg_loss": "bce", "cons_weight": 0.5, "extra": 1.0}
    assert Settings.of(**asked, mode="full_sup").objective == {"seg_loss": "bce"}
    with pytest.raises(ValueError, match="--extra: expected an objective that has it, found -m gaze_sup"):
        Settings.of(**asked, extra=2.0)
    monkeypatch.setattr(Weak, "selected_by", "f1")
    with pytest.raises(ValueError, match="-m weak: expected selected_by of dice, .*, found f1"):
        Settings.of(**asked, mode="weak")


def test_a_data_set_of_z_scores_changes_nothing_of_released_networks(monkeypatch):
    monkeypatch.setitem(DATASETS, "ct", DatasetSpec("ct", 3, (".png",), (".png",), ".png", "zscore", 70, (0.5, 0.3)))
    module = runpy.run_path(str(DOCUMENT.parents[1] / "inference" / "predictor.py"))
    assert module["RELEASED_NORMALISATION"] == {3: "imagenet", 1: "zscore"}


def test_settings_of_an_objective_are_options_with_their_ranges(extended, capsys):
    with pytest.raises(SystemExit):
        run.main(["train", "--help"])
    assert "how far labels keep from 0 and 1 (default: 0.1)" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        run.main("train -m soft_gaze --data kvasir --root x --softness -1".split())
    assert "--softness: expected a number from 0, found '-1'" in capsys.readouterr().err


def test_a_declared_tracker_is_read(extended, tiny_root, tmp_path, capsys):
    rows = [(20 * i, 10 + i % 2, 20, "polyp1.jpg") for i in range(30)]
    table = pd.DataFrame(rows, columns=["Clock", "Look X", "Look Y", "Shown"])
    table.to_csv(tmp_path / "recorded.csv", index=False)
    line = ["fixations", str(tmp_path / "recorded.csv"), "--to", str(tmp_path / "fix.csv"), "--method", "idt"]
    line += "--screen_px 48,40 --screen_cm 30,25 --distance_cm 60".split()
    assert run.main(line) == 0
    assert "mytracker" in capsys.readouterr().out
    assert run.main([*line, "--format", "mytracker", "--overwrite"]) == 0
    assert list(pd.read_csv(tmp_path / "fix.csv")["IMAGE"].unique()) == ["polyp1.jpg"]
