"""``--ensemble`` from the training command line over the checkpoint to the evaluation."""

import json

import pytest
import torch

import run
from parse_args import parse_args

SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]


@pytest.fixture
def training(tiny_root, tmp_path):
    return ["--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(tmp_path / "exp"), *SMALL, "--max_ite", "1"]


def evaluated(tiny_root, checkpoint, *more) -> dict:
    options = ["evaluate", "--root", str(tiny_root), "--ckpt_path", str(checkpoint), "--device", "cpu", *more]
    assert run.main([*options, "--num_worker", "0"]) == 0
    return json.loads((checkpoint.parent / "evaluate_test" / "summary.json").read_text())


def test_a_checkpoint_keeps_its_ensemble_and_evaluate_may_choose_another(training, tiny_root, tmp_path):
    assert run.main([*training, "--ensemble", "probs"]) == 0
    summary = json.loads((tmp_path / "exp" / "summary.json").read_text())
    assert summary["what"] == "gaze, 2 levels, prop consistency x 3, mean of probabilities"
    checkpoint = tmp_path / "exp" / "model_latest.pth"
    as_trained = evaluated(tiny_root, checkpoint)
    assert (as_trained["ensemble"], as_trained["what"]) == ("probs", "checkpoint, 2 level(s), mean of probabilities")
    assert as_trained["results"]["checkpoint"]["metrics"] == summary["results"]["last"]["metrics"]
    assert evaluated(tiny_root, checkpoint, "--ensemble", "logits")["ensemble"] == "logits"


def test_an_older_checkpoint_averages_logits(training, tiny_root, tmp_path):
    assert run.main(training) == 0
    checkpoint = tmp_path / "exp" / "model_latest.pth"
    content = torch.load(checkpoint, weights_only=False)
    assert content["config"]["model"].pop("ensemble") == content["opt"].pop("ensemble") == "logits"
    torch.save(content, checkpoint)
    assert evaluated(tiny_root, checkpoint)["ensemble"] == "logits"


@pytest.mark.parametrize(
    ("more", "ensemble"), [([], "logits"), (["--ensemble", "probs"], "probs"), (["--test", "--ckpt_path", "x"], None)]
)
def test_the_released_ensemble_is_the_default_of_training_alone(training, more, ensemble):
    assert parse_args([*training, *more]).ensemble == ensemble
