"""What a run finds in its folder, and leaves there."""

from pathlib import Path

import pytest
import torch

from training.checkpoints import Start, check_same_start, prepare_folder, restore_optimizer
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


def test_masks_of_an_overwritten_run_go(tmp_path):
    (tmp_path / "predictions").mkdir()
    for name in ("args.json", "predictions/a.png", "predictions/notes.txt"):
        (tmp_path / name).touch()
    prepare_folder(tmp_path, Start(None), overwrite=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes.txt", "predictions"]


@pytest.mark.parametrize("rate", [None, -1.0, float("nan"), "0.1"])
def test_a_rate_that_is_none(rate):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match="optimizer: expected the state of the run to resume, found another"):
        restore_optimizer(optimizer, {"state": {}, "param_groups": [{"params": [0], "lr": rate}]})
