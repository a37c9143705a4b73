"""From a training command line to data sets: their cache, and the batches that processes share."""

import contextlib

import pytest
import torch

import run
from datasets.specs import get_spec
from parse_args import parse_args
from training.build import build_data
from training.data_options import complete
from utils.distributed import SINGLE, Group

STRIDE = 3 * 32 * 32 * 4 + 2 * 32 * 32 + 64
TWO_SAMPLES_GB = str(2.5 * STRIDE / 1e9)


def _data(root, *more, group=SINGLE):
    args = parse_args(["--data", "kvasir", "--root", str(root), "--spatial_size", "32", *more])
    return build_data(complete(args, get_spec("kvasir")), group)


def test_training_samples_alone_are_cached_in_memory_by_default(tiny_root):
    data = _data(tiny_root, "--val_fraction", "0.34")
    assert data.train.cache_note == "cache: 4 of 4 samples in memory, 0.00 GB"
    assert data.selection.cache is None and data.test.cache is None
    assert not (tiny_root / ".cache").exists()


@pytest.mark.parametrize("options", [["--cache", "off"], ["--cache_gb", "0"]])
def test_off(tiny_root, options):
    assert _data(tiny_root, *options).train.cache is None


def test_a_folder_for_the_disk(tiny_root, tmp_path):
    note = _data(tiny_root, "--cache", "disk", "--cache_dir", str(tmp_path / "here")).train.cache_note
    assert note == f"cache: 6 of 6 samples in {tmp_path / 'here'}, 0.00 GB"
    assert _data(tiny_root, "--cache", "disk").train.cache_note.startswith(f"cache: 6 of 6 samples in {tiny_root}")


def test_processes_of_a_machine_share_the_bound_of_memory(tiny_root):
    bound = ["--cache_gb", TWO_SAMPLES_GB]
    assert _data(tiny_root, *bound).train.cache_note.startswith("cache: 2 of 6")
    group = Group(on_this_machine=2)
    assert _data(tiny_root, *bound, group=group).train.cache_note.startswith("cache: 1 of 6")
    assert _data(tiny_root, *bound, "--cache", "disk", group=group).train.cache_note.startswith("cache: 2 of 6")


def test_a_batch_that_processes_cannot_share_is_refused_before_anything_is_written(
    tiny_root, tmp_path, monkeypatch, capsys
):
    two = contextlib.nullcontext((Group(size=2), torch.device("cpu")))
    monkeypatch.setattr("training.fit.process_group", lambda device: two)
    line = f"train --data kvasir --root {tiny_root} --exp_path {tmp_path / 'exp'} -bs 3 --max_ite 1 --device cpu"
    assert run.main(line.split()) == 2
    assert "run.py train: error: -bs 3: expected a multiple of 2, the number of processes" in capsys.readouterr().err
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize("there", ["polyp2.jpg", ".DS_Store", None])
def test_masks_of_no_test_image_mean_that_nothing_is_evaluated(tiny_root, there):
    for path in (tiny_root / "masks").iterdir():
        if path.name != there:
            path.unlink()
    if there == ".DS_Store":
        (tiny_root / "masks" / there).write_bytes(b"")
    for options in ([], ["--select", "best", "--val_fraction", "0.34"] if there != "polyp2.jpg" else []):
        data = _data(tiny_root, *options)
        assert data.test is None and data.selection is None


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("name, hint", [("polyp7.jpg", "ids stand without ending"), ("polyp77", "put the images")])
def test_ids_of_no_image_are_refused_and_no_split_without_masks(tiny_root, split, name, hint):
    (tiny_root / "test.txt").unlink()
    (tiny_root / f"{split}.txt").write_text(f"{name}\n")
    with pytest.raises(FileNotFoundError, match=rf"1 of 1 files are missing: .*{name}.jpg.*{hint}"):
        _data(tiny_root)
