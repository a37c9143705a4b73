"""The first lines of a run's log."""

import platform
import re

import pytest
import torch

import run
from utils.log import code_version

SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]


@pytest.fixture
def lines(tiny_root, tmp_path):
    def train(*more) -> list[str]:
        exp = tmp_path / "exp"
        line = ["--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(exp), *SMALL, "--max_ite", "1", *more]
        assert run.main(line) == 0
        return [line.partition(" ")[2] for line in (exp / "train.log").read_text().splitlines()]

    return train


def test_machine_versions_and_sizes_stand_first(lines, tmp_path):
    method, machine, computation, sizes, cache, selection, *_ = lines()
    assert method == f"gaze, 2 levels, prop consistency x 3; run folder {tmp_path / 'exp'}; seed 0"
    threads = torch.get_num_threads()
    assert machine == (
        f"device cpu, {threads} thread{'s' if threads > 1 else ''}, 0 loader processes, Python "
        f"{platform.python_version()}, torch {torch.__version__}, code {code_version()}"
    )
    assert computation == "computes in float32, channels_last"
    assert re.fullmatch(r"[\d,]+ parameters; 6 training, 0 validation, 3 test images", sizes)
    assert cache.startswith("cache: 6 of 6 samples in memory")
    assert selection.startswith("the best checkpoint is chosen on the test set, as released")


def test_a_validation_split_is_counted_and_the_test_set_not_chosen_on(lines):
    said = lines("--val_fraction", "0.34", "--num_levels", "1", "--fp16", "--no-channels_last", "--checkpoint_levels")
    assert said[0].startswith("gaze, 1 level; run folder")
    assert said[2].startswith("computes in bfloat16 autocast")
    assert said[2].endswith(", checkpoint_levels")
    assert said[3].endswith("parameters; 4 training, 2 validation, 3 test images")
    assert not any("chosen on the test set" in line for line in said)


def test_fixations_that_are_not_read_are_said(lines, tmp_path):
    assert any("--fixations is not read with --pseudo levels" in line for line in lines("--fixations", "nowhere.csv"))


@pytest.mark.parametrize("has", [True, False])
def test_emulated_bfloat16_is_said(lines, monkeypatch, has):
    monkeypatch.setattr("training.describe.has_bfloat16", lambda device: has)
    said = lines("--amp", "bf16")[2]
    assert said.startswith("computes in bfloat16 autocast")
    assert ("cpu only emulates, some ten times slower: --amp auto" in said) is not has


def test_a_split_of_which_no_image_has_a_mask_is_said_before_training(lines, tiny_root):
    for name in ("polyp7", "polyp8", "polyp9"):
        (tiny_root / "masks" / f"{name}.jpg").rename(tiny_root / "masks" / f"{name}_mask.jpg")
    (tiny_root / "val.txt").write_text("polyp9\n")
    (tiny_root / "test.txt").write_text("polyp7\npolyp8\n")
    said = lines()
    first_step = next(number for number, line in enumerate(said) if line.startswith("[train"))
    for split in ("val", "test"):
        note = f"{tiny_root / split}.txt: no image has a mask of its name in masks/: nothing will be evaluated on it"
        assert note in said[:first_step]
