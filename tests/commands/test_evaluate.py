"""``run.py evaluate``: what it averages, writes and refuses."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import inference.evaluate
import run
from evaluation.distances import boundary_distances
from models import build_model
from utils.inputs import sha256_of

SMALL = {"features": (4, 8, 8, 8, 8, 4)}
SIZE = 32


@pytest.fixture
def checkpoint(tmp_path):
    """A function that makes a checkpoint of random weights."""

    def make(name, *, seed=0, data="kvasir", num_levels=2, **config):
        torch.manual_seed(seed)
        channels, normalisation = (1, "zscore") if data == "prostate" else (3, "imagenet")
        settings = {"in_channels": channels, "num_levels": num_levels, **SMALL}
        remembered = {"data": data, "channels": channels, "normalisation": normalisation, "spatial_size": SIZE}
        path = tmp_path / name
        state_dict = build_model("unet", init="independent", **settings).state_dict()
        config = {"model": {"name": "unet", **settings}, **remembered, **config}
        torch.save({"state_dict": state_dict, "iteration": 7, "config": config}, path)
        return path

    return make


def evaluate(root, *more):
    return run.main(["evaluate", "--root", str(root), *map(str, more), "--device", "cpu", "--num_worker", "0"])


def rows_of(folder, level="ensemble"):
    with open(Path(folder) / "per_case.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["level"] == level]


def picture(path):
    return np.array(Image.open(path))


def test_masks_and_probabilities_at_the_images_own_sizes(tiny_root, tmp_path, checkpoint):
    out = tmp_path / "out"
    path = checkpoint("a.pth")
    options = ["--ckpt_path", path, "--exp_path", out, "--save_pred", "--save_prob", "--threshold", "0.45"]
    assert evaluate(tiny_root, *options) == 0
    for name in ("polyp7", "polyp8", "polyp9"):
        truth = picture(tiny_root / "masks" / f"{name}.jpg") > 127
        mask = picture(out / "predictions" / f"{name}.png")
        ensemble, first, second = (
            picture(out / "probabilities" / folder / f"{name}.png") for folder in ("ensemble", "level1", "level2")
        )
        assert mask.shape == ensemble.shape == truth.shape
        assert ensemble.dtype == np.uint16
        clear = np.abs(ensemble / 65535 - 0.45) > 1e-4
        np.testing.assert_array_equal(mask[clear] == 255, (ensemble / 65535 > 0.45)[clear])
        # The mean of logits lies between the levels.
        assert ((np.minimum(first, second) <= ensemble + 1.0) & (ensemble <= np.maximum(first, second) + 1.0)).all()
        row = next(row for row in rows_of(out) if row["name"] == name)
        tp = (truth & (mask > 0)).sum()
        assert float(row["precision"]) == pytest.approx(tp / max((mask > 0).sum(), 1))
        assert float(row["recall"]) == pytest.approx(tp / truth.sum())
    summary = json.loads((out / "summary.json").read_text())
    assert summary["threshold"] == 0.45
    # By which ``export`` knows the network again.
    assert summary["checkpoint_sha256"] == [sha256_of(path) for path in summary["checkpoints"]]


def test_summary_table_and_tensorboard(tiny_root, tmp_path, checkpoint, capsys):
    out = tmp_path / "out"
    assert evaluate(tiny_root, "--ckpt_path", checkpoint("a.pth"), "--exp_path", out) == 0
    metrics = json.loads((out / "summary.json").read_text())["results"]["checkpoint"]["metrics"]
    for level in ("ensemble", "1", "2"):
        values = np.array([float(row["hd95_px"]) for row in rows_of(out, level)])
        entry = metrics[level]
        assert (entry["hd95_px_mean"], entry["hd95_px_std"]) == pytest.approx((values.mean(), values.std()))
        low, high = entry["hd95_px_ci95"]
        assert values.min() <= low <= values.mean() <= high <= values.max()
    printed = capsys.readouterr().out
    entry = metrics["1"]
    cell = f"{entry['hd95_px_mean']:.2f} ({entry['hd95_px_std']:.2f}) [{entry['hd95_px_ci95'][0]:.2f}, "
    assert cell in next(line for line in printed.splitlines() if line.startswith("HD95 px"))
    events = EventAccumulator(str(out)).Reload()
    (scalar,) = events.Scalars("test_ensemble/dice_mean")
    assert (scalar.step, scalar.value) == (7, pytest.approx(metrics["ensemble"]["dice_mean"]))


def test_the_checksum_is_of_the_weights_that_were_scored(tiny_root, tmp_path, checkpoint, monkeypatch):
    """And not of those by which a run that goes on replaces its latest meanwhile."""
    path = checkpoint("a.pth")
    scored, score = sha256_of(path), inference.evaluate.score
    monkeypatch.setattr("inference.evaluate.score", lambda *a, **b: (checkpoint("a.pth", seed=1), score(*a, **b))[1])
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", tmp_path / "out") == 0
    assert sha256_of(path) != scored
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["checkpoint_sha256"] == [scored]


def test_several_checkpoints_are_averaged(tiny_root, tmp_path, checkpoint):
    first, second = checkpoint("a.pth", seed=0), checkpoint("b.pth", seed=1)
    for number, paths in enumerate(([first], [second], [first, second])):
        out = tmp_path / f"out{number}"
        assert evaluate(tiny_root, "--ckpt_path", *paths, "--exp_path", out, "--save_prob", "--ensemble", "probs") == 0
    alone, other, both = (picture(tmp_path / f"out{n}" / "probabilities/level1/polyp7.png") / 65535 for n in range(3))
    # Bilinear resizing acts on logits, hence nearly: the mean of both before it.
    np.testing.assert_allclose(both, (alone + other) / 2, atol=0.01)
    assert np.abs(alone - other).max() > 0.05
    summary = json.loads((tmp_path / "out2" / "summary.json").read_text())
    assert summary["what"] == "2 checkpoints averaged, 2 level(s), mean of probabilities"
    assert summary["checkpoints"] == [str(first), str(second)]


def test_flips_change_the_prediction_and_it_is_said(tiny_root, tmp_path, checkpoint):
    path = checkpoint("a.pth")
    assert evaluate(tiny_root, "--ckpt_path", path, "--save_prob") == 0
    assert evaluate(tiny_root, "--ckpt_path", path, "--save_prob", "--tta") == 0
    plain, flipped = tmp_path / "evaluate_test", tmp_path / "evaluate_test_tta"
    assert json.loads((flipped / "summary.json").read_text())["what"] == "checkpoint, 2 level(s), flips averaged"
    maps = [picture(folder / "probabilities/ensemble/polyp7.png") for folder in (plain, flipped)]
    assert (maps[0] != maps[1]).any()


def test_millimetres_from_the_command_line_and_from_dicom(tiny_prostate_root, tmp_path, checkpoint):
    import pydicom

    path = checkpoint("a.pth", data="prostate")
    given = ["--ckpt_path", path, "--exp_path", tmp_path / "given", "--spacing_mm", "0.5"]
    assert evaluate(tiny_prostate_root, *given) == 0
    for row in rows_of(tmp_path / "given"):
        assert float(row["hd95_mm"]) == pytest.approx(0.5 * float(row["hd95_px"]))
        assert float(row["assd_mm"]) == pytest.approx(0.5 * float(row["assd_px"]))
        assert row["group"] == row["name"].split("_")[0]
    slice_ = pydicom.dcmread(tiny_prostate_root / "images" / "caseD_5.dcm")
    slice_.PixelSpacing = [2, 0.5]
    slice_.save_as(tiny_prostate_root / "images" / "caseD_5.dcm")
    assert evaluate(tiny_prostate_root, "--ckpt_path", path, "--exp_path", tmp_path / "dicom") == 0
    rows = {row["name"]: row for row in rows_of(tmp_path / "dicom")}
    # Rows are 2 mm apart and columns 0.5, in the header as on the command line.
    given = ["--ckpt_path", path, "--exp_path", tmp_path / "again", "--save_pred", "--spacing_mm", "2,0.5"]
    assert evaluate(tiny_prostate_root, *given) == 0
    again = next(row for row in rows_of(tmp_path / "again") if row["name"] == "caseD_5")
    masks = tmp_path / "again" / "predictions", tiny_prostate_root / "masks"
    found = boundary_distances(*(picture(folder / "caseD_5.png") > 0 for folder in masks), (2.0, 0.5))
    assert float(rows["caseD_5"]["hd95_mm"]) == float(again["hd95_mm"]) == pytest.approx(found.hd95)
    assert rows["caseE_2"]["hd95_mm"] == ""
    metrics = json.loads((tmp_path / "dicom" / "summary.json").read_text())["results"]["checkpoint"]["metrics"]
    assert metrics["ensemble"]["num_cases_mm"] == 1


def test_a_second_evaluation_leaves_nothing_of_the_first(tiny_root, tmp_path, checkpoint):
    path, out = checkpoint("a.pth"), tmp_path / "out"
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", out, "--save_pred", "--save_prob") == 0
    (out / "predictions" / "mine.txt").write_text("kept")
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", out) == 0
    assert [p.name for p in out.rglob("*") if p.is_file() and p.parent != out] == ["mine.txt"]
    assert len(list(out.glob("events.out.tfevents.*"))) == 1


def test_after_a_failure_the_earlier_results_are_there_and_nothing_else(tiny_root, tmp_path, checkpoint, capsys):
    path, out = checkpoint("a.pth"), tmp_path / "out"
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", out) == 0
    before = {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    image = tiny_root / "images" / "polyp9.jpg"
    image.write_bytes(image.read_bytes()[:800])
    # The two images before it have been predicted by then.
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", out, "--save_pred", "-bs", "1") == 2
    assert "polyp9.jpg: expected an image" in capsys.readouterr().err
    assert {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()} == before


def test_the_results_of_a_run_are_not_replaced(tiny_root, tmp_path, checkpoint):
    path = checkpoint("model_latest.pth")
    for name in ("args.json", "summary.json", "per_case.csv"):
        (tmp_path / name).write_text("of the run")
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", tmp_path) == 0
    assert (tmp_path / "summary.json").read_text() == (tmp_path / "per_case.csv").read_text() == "of the run"
    assert (tmp_path / "evaluate_test" / "summary.json").is_file()


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([{"num_levels": 1}], "same number of levels, found 2, 1"),
        ([{"spatial_size": 48}], "expected spatial_size 32"),
        ([{"normalisation": "zscore"}], "expected normalisation imagenet"),
        ([{"data": "prostate"}], "expected channels 3"),
        (["again"], "expected each checkpoint once"),
    ],
)
def test_checkpoints_that_do_not_go_together(others, message, tiny_root, tmp_path, checkpoint, capsys):
    first = checkpoint("a.pth")
    more = [first if other == "again" else checkpoint("b.pth", **other) for other in others]
    assert evaluate(tiny_root, "--ckpt_path", first, *more, "--exp_path", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_finite(tiny_root, tmp_path, checkpoint, capsys):
    path = checkpoint("a.pth")
    content = torch.load(path)
    content["state_dict"]["model.1.classifier.bias"].fill_(float("nan"))
    torch.save(content, path)
    assert evaluate(tiny_root, "--ckpt_path", path, "--exp_path", tmp_path / "out") == 2
    assert "expected finite weights, found 1 entries that are not (first: model.1.cl" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_for_other_channels(tiny_prostate_root, checkpoint, capsys):
    assert evaluate(tiny_prostate_root, "--data", "prostate", "--ckpt_path", checkpoint("a.pth")) == 2
    assert "expected data with channels 3, as it was trained on, found channels 1" in capsys.readouterr().err


def test_a_network_that_does_not_say_what_it_is_fed(tiny_root, tmp_path, capsys):
    """A released one of three channels is fed by ImageNet's statistics, here as in ``predict``."""
    torch.save({"state_dict": build_model("unet", in_channels=3, num_levels=1).state_dict()}, tmp_path / "released.pth")
    (tiny_root / "dataset.toml").write_text("normalisation = 'zscore'")
    options = ("--data", "folder", "--ckpt_path", tmp_path / "released.pth", "--exp_path", tmp_path / "out")
    assert evaluate(tiny_root, *options) == 2
    assert "expected data with normalisation imagenet, as it was trained on, found norm" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(tiny_root, tmp_path, checkpoint, capsys):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    assert evaluate(tiny_root, "--ckpt_path", checkpoint("a.pth"), "--exp_path", out) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("value", ["0", "-1", "1,2,3", "1,0", "nan", "x"])
def test_an_impossible_spacing(value, tiny_root, checkpoint, capsys):
    with pytest.raises(SystemExit) as stopped:
        evaluate(tiny_root, "--ckpt_path", checkpoint("a.pth"), f"--spacing_mm={value}")
    assert stopped.value.code == 2
    assert "--spacing_mm" in capsys.readouterr().err


def embedded(folder):
    """What a report holds, by the ids of its elements."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(content) for name, content in found}


def test_a_report_of_every_case(tiny_root, tmp_path, checkpoint, capsys):
    out = tmp_path / "out"
    gaze = ["--fixations", tiny_root / "fixations.csv"]
    assert evaluate(tiny_root, "--ckpt_path", checkpoint("a.pth"), "--exp_path", out, "--report", *gaze) == 0
    content = embedded(out)
    assert content["index"]["names"] == ["polyp7", "polyp8", "polyp9"]
    case = content["case-0"]
    assert case["truth"] and len(case["probabilities"][0]) == 3
    assert len(case["fixations"]) == 5
    assert f"report: {out / 'report.html'}, 0." in capsys.readouterr().out


def test_a_report_without_gaze_of_16_bit_images(tiny_prostate_root, tmp_path, checkpoint):
    out = tmp_path / "out"
    path = checkpoint("a.pth", data="prostate")
    assert evaluate(tiny_prostate_root, "--ckpt_path", path, "--exp_path", out, "--report") == 0
    content = embedded(out)
    assert content["index"]["groups"] == ["caseD", "caseD", "caseE"]
    assert content["case-0"]["fixations"] is None


def test_names_never_become_html(tiny_root, tmp_path, checkpoint):
    name = "<img src=x onerror=alert(1)>"
    for folder in ("images", "masks"):
        (tiny_root / folder / "polyp7.jpg").rename(tiny_root / folder / f"{name}.jpg")
    (tiny_root / "test.txt").write_text(f"{name}\npolyp8\n")
    out = tmp_path / "out"
    assert evaluate(tiny_root, "--ckpt_path", checkpoint("a.pth"), "--exp_path", out, "--report", "--save_pred") == 0
    assert name not in (out / "report.html").read_text(encoding="utf-8")
    assert embedded(out)["index"]["names"][0] == name
    assert (out / "predictions" / f"{name}.png").is_file()


@pytest.mark.parametrize("given", ["none.csv", "broken.csv"])
def test_a_fixation_table_that_is_none(given, tiny_root, tmp_path, checkpoint, capsys):
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n")
    out = tmp_path / "out"
    more = ["--exp_path", out, "--report", "--fixations", tmp_path / given]
    assert evaluate(tiny_root, "--ckpt_path", checkpoint("a.pth"), *more) == 2
    assert given in capsys.readouterr().err
    assert not out.exists()
