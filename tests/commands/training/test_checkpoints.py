"""What a run finds in its folder, and leaves there."""

from pathlib import Path

import pytest

from commands.training.checkpoints import Start, check_same_start, prepare_folder
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


@pytest.mark.parametrize("overwrite", [False, True])
def test_half_written_files_go_and_what_is_not_ours_stays(tmp_path, overwrite):
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for path in (tmp_path / ".tmp-1.pth", predictions / ".tmp-2.png", predictions / "a.png", tmp_path / "notes.txt"):
        path.touch()
    prepare_folder(tmp_path, Start(None), overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "notes.txt", "predictions"]


def test_masks_of_an_overwritten_run_go(tmp_path):
    (tmp_path / "predictions").mkdir()
    for name in ("args.json", "predictions/a.png", "predictions/notes.txt"):
        (tmp_path / name).touch()
    prepare_folder(tmp_path, Start(None), overwrite=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes.txt", "predictions"]
