"""The command lines and files of the reference's users, as they stand."""

import json

import pytest
import torch

import run
from inference.predictor import Predictor
from utils.devices import pick_device

LINE = (
    "-m gaze_sup --data {data} --model unet -bs 8 --exp_path {exp} --root {root} --spatial_size 224 --in_channels "
    "{channels} --opt sgd --lr 1e-2 --lr_min 1e-4 --lr_scheduler cos --max_ite 15000 --num_levels 2 --cons_mode prop "
    "--cons_weight 3 --data_size_rate 1 --device 0 --seed 0"
)
TINY = "--spatial_size 32 --features 4,8,8,8,8,4 -bs 2 --max_ite 4 --num_worker 0 --device cpu".split()


def released(root, exp, *more, data="kvasir", channels=3) -> list[str]:
    return [*LINE.format(data=data, exp=exp, root=root, channels=channels).split(), *TINY, *more]


@pytest.mark.parametrize(("data", "channels"), [("kvasir", 3), ("prostate", 1)])
def test_both_released_lines_train(data, channels, tiny_root, tiny_prostate_root, tmp_path):
    root, exp = tiny_root if data == "kvasir" else tiny_prostate_root, tmp_path / "exp"
    assert run.main(released(root, exp, data=data, channels=channels)) == 0
    args = json.loads((exp / "args.json").read_text())
    assert (args["lr_scheduler"], args["num_levels"], args["cons_weight"]) == ("cosine", 2, 3.0)


def test_options_without_effect_say_so(tiny_root, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.distributed.pick_device", lambda choice: pick_device("cpu"))
    assert run.main(released(tiny_root, tmp_path, "--device", "0,1", "--finalize")) == 0
    log = (tmp_path / "train.log").read_text()
    assert "--finalize does nothing here" in log
    assert "--device 0,1: a process computes on one GPU, here the first" in log
    assert "CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node 2" in log


def test_every_checkpoint_is_kept_and_a_run_goes_on_from_a_folder(tiny_root, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run.main(released(tiny_root, whole, "--keep_all", "--save_step", "2")) == 0
    assert sorted(path.name for path in whole.glob("model_ite*")) == ["model_ite2.pth", "model_ite4.pth"]
    cut.mkdir()
    (whole / "model_ite2.pth").rename(cut / "model_latest.pth")
    assert run.main(released(tiny_root, tmp_path / "rest", "--resume", "--ckpt_path", str(cut))) == 0
    states = [torch.load(folder / "model_latest.pth")["state_dict"] for folder in (whole, tmp_path / "rest")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert run.main(released(tiny_root, whole, "--overwrite")) == 0
    assert not list(whole.glob("model_ite*"))


def test_full_supervision_chooses_by_iou_and_gaze_by_dice(tiny_root, tmp_path):
    for mode, metric in (("full_sup", "iou"), ("gaze_sup", "dice")):
        exp = tmp_path / mode
        assert run.main(released(tiny_root, exp, "-m", mode, "--num_levels", "1", "--val_step", "4")) == 0
        means = json.loads((exp / "summary.json").read_text())["results"]["test_selected"]["metrics"]["ensemble"]
        best = torch.load(exp / "model_best.pth")
        assert best["selected_by"] == metric
        assert best["best_performance"] == pytest.approx(means[f"{metric}_mean"], abs=1e-6)


def test_a_run_from_before_chose_by_dice_and_chooses_anew(tiny_root, tmp_path):
    line = released(tiny_root, tmp_path, "-m", "full_sup", "--num_levels", "1", "--val_step", "2", "--save_step", "2")
    assert run.main([*line, "--keep_all"]) == 0
    content = torch.load(tmp_path / "model_ite2.pth")
    del content["selected_by"]
    content["best_performance"] = 1.0
    torch.save(content, tmp_path / "model_latest.pth")
    assert run.main([*line, "--resume", "--keep_all"]) == 0
    assert (
        "expected the best checkpoint by its iou, found one by its dice; it is chosen anew"
        in (tmp_path / "train.log").read_text()
    )
    assert torch.load(tmp_path / "model_latest.pth")["best_performance"] < 1


def test_a_released_checkpoint_of_full_supervision_predicts(tiny_root, tmp_path):
    exp = tmp_path / "exp"
    assert run.main(released(tiny_root, exp, "-m", "full_sup", "--num_levels", "1")) == 0
    ours = torch.load(exp / "model_latest.pth")["state_dict"]
    # As released: one network, whose names lack those of its level.
    theirs = {key.removeprefix("model.0."): weight for key, weight in ours.items()}
    assert {key.partition(".")[0] for key in theirs} == {"encoder", "classifier", "head"}
    torch.save({"state_dict": theirs, "epoch": 1}, tmp_path / "released.pth")
    image = torch.rand(1, 3, 32, 32)
    logits = []
    for path in (exp / "model_latest.pth", tmp_path / "released.pth"):
        predictor = Predictor([path], torch.device("cpu"))
        logits.append(predictor.model(image)["logits"])
    assert torch.equal(*logits)
    line = ["evaluate", "--data", "kvasir", "--root", str(tiny_root), "--ckpt_path", str(tmp_path / "released.pth")]
    assert run.main([*line, "--device", "cpu", "--num_worker", "0", "--exp_path", str(tmp_path / "scores")]) == 0
