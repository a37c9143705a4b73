"""What a run finds in its folder, and leaves there."""

from pathlib import Path

import pytest
import torch

import run
from training.checkpoints import check_same_start, restore_optimizer
from training.run_folder import remove_run
from utils.distributed import SINGLE, Group


class Told(Group):
    """A process that is told at which iteration the others start."""

    def gather(self, value):
        return [value, 0]


def test_processes_that_find_different_checkpoints_do_not_start():
    check_same_start(4, Path("exp"), SINGLE)
    check_same_start(0, Path("exp"), Told(0, 2))
    with pytest.raises(ValueError, match=r"exp: expected one run folder .* checkpoints of iterations 4, 0; put it"):
        check_same_start(4, Path("exp"), Told(0, 2))


@pytest.mark.parametrize("left", ["model_best.pth", "model_previous.pth", "labels.json"])
def test_what_is_left_of_a_run_is_not_written_over(tiny_root, tmp_path, capsys, left):
    """The one checkpoint that was kept, or the labels of rounds that were stopped before the last one trained."""
    exp = tmp_path / "exp"
    exp.mkdir()
    (exp / left).write_text("{}")
    argv = ["train", "--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(exp), "--max_ite", "1"]
    assert run.main([*argv, "--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--device", "cpu"]) == 2
    assert f"{exp}: expected a new run folder (--exp_path), found an earlier run" in capsys.readouterr().err
    assert (exp / left).read_text() == "{}"


def test_masks_of_an_overwritten_run_go(tmp_path):
    (tmp_path / "predictions").mkdir()
    for name in ("args.json", "predictions/a.png", "predictions/notes.txt"):
        (tmp_path / name).touch()
    remove_run(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes.txt", "predictions"]


@pytest.mark.parametrize("rate", [None, -1.0, float("nan"), "0.1"])
def test_a_rate_that_is_none(rate):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match="optimizer: expected the state of the run to resume, found another"):
        restore_optimizer(optimizer, {"state": {}, "param_groups": [{"params": [0], "lr": rate}]})
