"""An objective, a network, a data set and a metric of somebody's own, each a class or a line in a registry."""

import json
import shutil
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import run
from datasets.specs import DATASETS, DatasetSpec
from evaluation.metrics import MEASURES, Measure
from losses.objectives import OBJECTIVES, Objective, setting
from models.registry import MODELS


@dataclass(frozen=True)
class SoftGaze(Objective):
    """The mean of all levels' pseudo-masks, softened."""

    target, source = "pseudo", "softened gaze"

    softness: float = setting(0.1, "how far labels keep from 0 and 1", low=0)

    def __call__(self, outputs, batch):
        target = batch["pseudo"].mean(1, keepdim=True).clamp(self.softness, 1 - self.softness)
        loss = nn.functional.binary_cross_entropy_with_logits(outputs["logits"], target)
        return loss, {"loss": loss.detach()}

    def said(self, num_levels):
        return f", by {self.softness:g}"


class TinyLevel(nn.Module):
    """Two convolutions."""

    def __init__(self, in_channels: int, feat_dim: int):
        super().__init__()
        self.in_channels = in_channels
        self.feature = nn.Conv2d(in_channels, feat_dim, 3, padding=1)
        self.classifier = nn.Conv2d(feat_dim, 1, 1)

    def forward(self, x):
        feature = self.feature(x).relu()
        return feature, self.classifier(feature)


@pytest.fixture
def extended(monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "soft_gaze", SoftGaze)
    monkeypatch.setitem(MODELS, "tiny", TinyLevel)
    polyps = DatasetSpec("polyps", 3, (".jpg",), (".jpg",), ".jpg", "imagenet", 70, (0.5, 0.3))
    monkeypatch.setitem(DATASETS, "polyps", polyps)
    specificity = Measure("Specificity", "%", 100, True, 1, lambda c: c.tn / (c.tn + c.fp) if c.tn + c.fp else 0.0)
    monkeypatch.setitem(MEASURES, "specificity", specificity)


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
    assert run.main(["summarize", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "softened gaze, 2 levels, by 0.4" in capsys.readouterr().out
    results = [str(tmp_path / name / "evaluate_test") for name in "ab"]
    assert run.main(["compare", *(f"{name}={path}" for name, path in zip("ab", results, strict=True))]) == 0
    assert "Specificity %" in capsys.readouterr().out


def test_settings_of_an_objective_are_options_with_their_ranges(extended, capsys):
    with pytest.raises(SystemExit):
        run.main(["train", "--help"])
    assert "how far labels keep from 0 and 1 (default: 0.1)" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        run.main("train -m soft_gaze --data kvasir --root x --softness -1".split())
    assert "--softness: expected a number from 0, found '-1'" in capsys.readouterr().err
