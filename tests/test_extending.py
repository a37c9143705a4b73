"""An objective, a network, a data set, a metric and a tracker of somebody's own, as docs/architecture.md adds them."""

import json
import re
import runpy
import shutil
from dataclasses import MISSING, dataclass
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
from models import build_from_weights, build_model
from models.registry import MODELS
from parse_args import parse_args
from training.settings import Settings
from utils.settings import NOT_NEGATIVE, POSITIVE_INT, number, setting

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
        line = f"-m soft_gaze --softness {softness} --model tiny --width 6 --feat_dim 4 --data polyps --device cpu"
        line += f" --root {root}"
        line += f" --spatial_size 32 -bs 2 --max_ite 2 --num_worker 0 --num_levels 2 --exp_path {tmp_path / name}"
        assert run.main(["train", *line.split()]) == 0
    assert run.main(["train", *line.split(), "--resume"]) == 0
    assert run.main(["train", *line.replace("0.4", "0.3").split(), "--resume", "--max_ite", "2"]) == 2
    assert "softness" in capsys.readouterr().err
    assert run.main(["train", *line.replace("--width 6", "").split(), "--resume"]) == 2
    assert "--width 6 (now 8)" in capsys.readouterr().err
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["what"] == "softened gaze, 2 levels, by 0.2" and summary["recipe"]["softness"] == 0.2
    assert summary["recipe"]["width"] == 6 and "encoder" not in summary["recipe"]
    for name in "ab":
        checkpoint = str(tmp_path / name / "model_latest.pth")
        content = torch.load(checkpoint)
        assert content["state_dict"]["model.1.stem.weight"].shape == (6, 3, 3, 3)
        assert content["config"]["model"]["width"] == content["opt"]["width"] == 6
        assert run.main(["evaluate", "--root", str(root), "--ckpt_path", checkpoint, "--device", "cpu"]) == 0
        assert "Specificity %" in capsys.readouterr().out
    assert run.main(["export", "--ckpt_path", checkpoint, "--to", str(tmp_path / "small.pth")]) == 0
    card = (tmp_path / "small.pth.md").read_text()
    assert "Data `polyps`, as named at training: unknown to this project." in card
    assert "`width=6`" in card and "`softness=0.4`" in card
    assert run.main(["predict", "--ckpt_path", str(tmp_path / "small.pth"), "--device", "cpu", "--images",
                     str(root / "images"), "--out", str(tmp_path / "masks")]) == 0  # fmt: skip
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
    assert Settings.of(**asked).declared == {"seg_loss": "bce", "cons_weight": 3.0}
    assert Settings.of(**asked, mode="weak").declared == {"seg_loss": "bce", "cons_weight": 0.5, "extra": 1.0}
    assert Settings.of(**asked, mode="full_sup").declared == {"seg_loss": "bce"}
    with pytest.raises(ValueError, match="--extra: expected -m weak, found -m gaze_sup --model unet, which"):
        Settings.of(**asked, extra=2.0)
    monkeypatch.setattr(Weak, "selected_by", "f1")
    with pytest.raises(ValueError, match="-m weak: expected selected_by of dice, .*, found f1"):
        Settings.of(**asked, mode="weak")


def test_of_a_recipe_what_is_of_another_network_has_no_effect(extended):
    asked = {"data": "kvasir", "root": "R", "fixations": "F", "recipe": "strong", "model": "tiny"}
    settings = Settings.of(**asked)
    assert settings.declared == {"seg_loss": "dice_ce", "cons_weight": 3.0, "width": 8} and settings.rounds == 4
    with pytest.raises(ValueError, match="--encoder: expected --model smp-unet, found -m gaze_sup --model tiny"):
        Settings.of(**asked, encoder="resnet34x")


def test_several_may_declare_settings_of_one_name(extended, tiny_root, tmp_path, monkeypatch, capsys):
    class Narrow(MODELS["tiny"]):
        @dataclass
        class Settings:
            needed: int = setting(MISSING, "to be given", POSITIVE_INT)
            width: int = setting(2, "narrow", number(int, 1, 4))
            encoder: str = setting("a/b", "of another kind", choices=("a/b", "c"))
            cons_weight: float = setting(9.0, "of the objective, which says it first", NOT_NEGATIVE)

        def __init__(self, in_channels, feat_dim, **own):
            assert own == {"width": 3, "encoder": "c", "cons_weight": 3.0, "needed": 5}
            super().__init__(in_channels, feat_dim, own["width"])

    monkeypatch.setitem(MODELS, "narrow", Narrow)
    line = f"train --feat_dim 4 --data kvasir --root {tiny_root} --spatial_size 32 -bs 2 --max_ite 1 --device cpu"
    line += f" --num_worker 0 --exp_path {tmp_path / 'exp'}"
    args = parse_args([*line.split(), *"--model smp-unet --encoder resnet18".split()])
    assert args.declared["encoder"] == "resnet18"
    assert parse_args([*line.split(), *"--model tiny --width 9".split()]).declared["width"] == 9
    assert run.main([*line.split(), *"--model narrow --width 3 --encoder c --needed 5".split()]) == 0
    assert torch.load(tmp_path / "exp" / "model_latest.pth")["opt"]["cons_weight"] == 3.0
    assert run.main([*line.split(), *"--model narrow --width 3 --needed 5 --overwrite".split()]) == 2
    assert "expected config.model.encoder to be a name, found 'a/b'" in capsys.readouterr().err
    for options, message in (
        ({"width": 5, "needed": 5}, "--width: expected a whole number from 1 to 4"),
        ({"encoder": "resnet18", "needed": 5}, "--encoder: expected one of a/b, c, found 'resnet18'"),
        ({}, "--needed: expected it to be given, found none"),
    ):
        with pytest.raises(ValueError, match=message):
            Settings.of(data="kvasir", root="R", model="narrow", **options)


def test_a_run_goes_on_where_its_network_has_a_setting_more(extended, tiny_root, tmp_path, monkeypatch, capsys):
    line = f"train --model tiny --feat_dim 4 --data kvasir --root {tiny_root} --spatial_size 32 -bs 2 --num_worker 0"
    line += f" --device cpu --max_ite 1 --exp_path {tmp_path / 'exp'}"
    assert run.main(line.split()) == 0

    class More(MODELS["tiny"]):
        @dataclass
        class Settings(MODELS["tiny"].Settings):
            depth: int = setting(1, "since then", POSITIVE_INT)

        def __init__(self, in_channels, feat_dim, width, depth):
            super().__init__(in_channels, feat_dim, width)

    monkeypatch.setitem(MODELS, "tiny", More)
    assert run.main([*line.split(), "--resume"]) == 0
    assert run.main([*line.split(), "--resume", "--depth", "2"]) == 2
    assert "--depth 1 (now 2)" in capsys.readouterr().err


def test_what_is_no_level_is_said(extended, tiny_root, monkeypatch, capsys):
    line = f"train --model other --feat_dim 4 --data kvasir --root {tiny_root} --spatial_size 32 -bs 2 --num_worker 0"
    monkeypatch.setitem(MODELS, "other", torch.nn.Identity)
    assert run.main(line.split()) == 2
    assert "--model other: expected a class that is a models.level.Level, found <class" in capsys.readouterr().err
    half = type("Half", (MODELS["tiny"],), {"forward": lambda self, x: (x[..., ::2], x[:, :1, :, ::2])})
    monkeypatch.setitem(MODELS, "other", half)
    assert run.main([*line.split(), "--device", "cpu"]) == 2
    assert "its feature is (2, 3, 32, 16), its logits (2, 1, 32, 16)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"width": 9}, r"6 of another shape \(first: model\.0\.stem\.weight \(6, 3, 3, 3\)"),
        ({"width": 2**62}, "its network cannot be built"),
        ({"width": -1}, "--width: expected a whole number from 1, found '-1'"),
        ({"height": 6}, "model tiny: expected settings of a network, found 'height'"),
        ({3: 6}, "model tiny: expected settings of a network, found 3"),
    ],
)
def test_what_a_checkpoint_claims_of_a_network_is_held_against_what_it_declares(extended, claims, message):
    arguments = {"name": "tiny", "in_channels": 3, "num_levels": 2, "feat_dim": 4, "width": 6}
    weights = build_model(**arguments).state_dict()
    assert build_from_weights(weights, arguments).model[1].stem.out_channels == 6
    with pytest.raises(ValueError, match=message):
        build_from_weights(weights, arguments | claims)


def test_a_network_says_which_of_its_layers_stay_as_they_are(extended, tiny_root, tmp_path, monkeypatch, capsys):
    class Half(MODELS["tiny"]):
        def frozen_features(self, images):
            return [self.stem(images)]

        def forward(self, x):
            if x.shape[-1] % 32:
                raise RuntimeError("of 32 alone")
            return super().forward(x)

    monkeypatch.setitem(MODELS, "half", Half)
    line = f"--model half --feat_dim 4 --data kvasir --root {tiny_root} --device cpu -bs 2 --max_ite 1 --num_worker 0"
    line += f" --num_levels 2 --init independent --exp_path {tmp_path / 'exp'}"
    assert run.main(["train", *line.split(), "--spatial_size", "32"]) == 0
    trained = torch.load(tmp_path / "exp" / "model_latest.pth")
    assert len(trained["optimizer"]["param_groups"][0]["params"]) == 8
    size = ["--spatial_size", "40", "--overwrite"]
    assert run.main(["train", *line.split(), *size]) == 2
    assert "takes 2 image(s) of 40x40 at a time, found one that does not (of 32 alone)" in capsys.readouterr().err
    checkpoint = str(tmp_path / "exp" / "model_latest.pth")
    assert run.main(["evaluate", "--root", str(tiny_root), "--ckpt_path", checkpoint, *size[:2]]) == 2
    assert "takes 1 image(s) of 40x40 at a time" in capsys.readouterr().err


def test_a_network_starts_from_weights_of_its_own(extended, tiny_root, tmp_path, monkeypatch, capsys):
    class Started(MODELS["tiny"]):
        pretrained_settings = ("stem_weights",)

        @dataclass
        class Settings(MODELS["tiny"].Settings):
            stem_weights: str | None = setting(None, "of the stem")

        @classmethod
        def check_settings(cls, settings, *, starts_from_checkpoint):
            if settings["width"] == 5 and not starts_from_checkpoint:
                raise ValueError("--width: expected another number, found 5")

        @classmethod
        def encoder_input(cls, settings, normalisation):
            return "symmetric"

        def __init__(self, in_channels, feat_dim, width, stem_weights):
            super().__init__(in_channels, feat_dim, width)
            if stem_weights:
                self.stem.load_state_dict(torch.load(stem_weights))

    monkeypatch.setitem(MODELS, "started", Started)
    stem, weights = MODELS["tiny"](3, 4, 8).stem.state_dict(), tmp_path / "exp" / "stem.pth"
    weights.parent.mkdir()
    torch.save(stem, weights)
    line = f"--model started --feat_dim 4 --stem_weights {weights} --data kvasir --root {tiny_root} --device cpu"
    line += f" --spatial_size 32 -bs 2 --max_ite 1 --num_worker 0 --lr 1e-9 --lr_min 1e-9 --exp_path {tmp_path / 'exp'}"
    assert run.main(["train", *line.split()]) == 0
    checkpoint = tmp_path / "exp" / "model_latest.pth"
    content = torch.load(checkpoint)
    torch.testing.assert_close(content["state_dict"]["model.0.stem.weight"], stem["weight"])
    assert content["config"]["model"]["stem_weights"] == "stem.pth"
    assert content["config"]["model"]["encoder_input"] == "symmetric"
    assert run.main(["train", *line.split(), "--overwrite"]) == 2
    assert "expected --stem_weights outside the folders that --overwrite replaces" in capsys.readouterr().err
    weights.unlink()
    assert run.main(["evaluate", "--root", str(tiny_root), "--ckpt_path", str(checkpoint), "--device", "cpu"]) == 0
    with pytest.raises(SystemExit):
        run.main(["train", *line.split(), "--width", "5"])
    assert "--width: expected another number, found 5" in capsys.readouterr().err


def test_a_data_set_of_z_scores_changes_nothing_of_released_networks(monkeypatch):
    monkeypatch.setitem(DATASETS, "ct", DatasetSpec("ct", 3, (".png",), (".png",), ".png", "zscore", 70, (0.5, 0.3)))
    module = runpy.run_path(str(DOCUMENT.parents[1] / "inference" / "predictor.py"))
    assert module["RELEASED_NORMALISATION"] == {3: "imagenet", 1: "zscore"}


def test_settings_of_an_objective_and_a_network_are_options_with_their_ranges(extended, capsys):
    with pytest.raises(SystemExit):
        run.main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "how far labels keep from 0 and 1 (default: 0.1)" in said
    assert "channels between image and feature (default: 8)" in said
    with pytest.raises(SystemExit):
        run.main("train --data kvasir --root x --width 4".split())
    assert "--width: expected --model tiny, found -m gaze_sup --model unet" in capsys.readouterr().err
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
