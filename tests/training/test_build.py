"""From a training command line to data sets: their cache."""

import pytest

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
