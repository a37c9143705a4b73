"""Batches from the cache: bit-equal to others, and no pixels are sent for them."""

import pytest
import torch

from datasets import build_dataset
from datasets.loaders import training_loader

SIZE, BATCH_SIZE, TWO_EPOCHS = 32, 4, 4
STRIDE = 3 * SIZE * SIZE * 4 + 3 * SIZE * SIZE + 64


def _dataset(root, kind="off", max_gb=1.0):
    dataset = build_dataset("kvasir", root=root, split="train", spatial_size=SIZE, num_levels=2)
    dataset.use_cache(kind, max_gb=max_gb)
    return dataset


def _batches(dataset, num_worker=0):
    return list(training_loader(dataset, batch_size=BATCH_SIZE, max_ite=TWO_EPOCHS, seed=3, num_worker=num_worker))


@pytest.mark.parametrize("num_worker", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "max_gb"),
    [("off", 1.0), ("memory", 1.0), ("memory", 3 * STRIDE / 1e9), ("disk", 1.0)],
    ids=["off", "memory", "memory for half of it", "disk"],
)
def test_batches_are_bit_equal(tiny_root, kind, max_gb, num_worker):
    expected = _batches(_dataset(tiny_root))
    for one, other in zip(_batches(_dataset(tiny_root, kind, max_gb), num_worker), expected, strict=True):
        assert one["name"] == other["name"] and list(one) == list(other)
        for key in ("image", "label", "pseudo"):
            assert one[key].dtype == torch.float32 and one[key].stride() == other[key].stride()
            assert torch.equal(one[key], other[key])


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_loader_processes_decode_is_there_for_all(tiny_root, monkeypatch, kind):
    dataset = _dataset(tiny_root, kind)
    expected = _batches(dataset, num_worker=2)
    monkeypatch.setattr(dataset, "_decode", None)
    for num_worker in (0, 2):
        for one, other in zip(_batches(dataset, num_worker), expected, strict=True):
            assert torch.equal(one["image"], other["image"])


def test_the_number_of_batches_is_known(tiny_root):
    for num_worker in (0, 2):
        assert len(training_loader(_dataset(tiny_root), batch_size=4, max_ite=5, start=2, num_worker=num_worker)) == 3
