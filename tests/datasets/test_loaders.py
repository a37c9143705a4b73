"""Loaders: the batch of an iteration depends on the seed and the iteration, and on nothing else."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from datasets import build_dataset
from datasets.loaders import IterationSampler, evaluation_loader, training_loader


def _indices(batches):
    return [[index for index, _ in batch] for batch in batches]


def _sampler(num_samples=7, batch_size=3, *, start=0, stop=6, seed=0, **options):
    return IterationSampler(num_samples, batch_size, start=start, stop=stop, seed=seed, **options)


def test_an_epoch_visits_every_sample_once_with_a_smaller_last_batch():
    sampler = _sampler()
    batches = _indices(sampler)
    assert sampler.iterations_per_epoch == 3
    assert [len(batch) for batch in batches] == [3, 3, 1, 3, 3, 1]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(sum(epoch, [])) == list(range(7))
    assert batches[:3] != batches[3:]


def test_every_index_carries_its_epoch():
    assert [{epoch for _, epoch in batch} for batch in _sampler()] == [{0}, {0}, {0}, {1}, {1}, {1}]


def test_starting_in_the_middle_continues_the_same_order():
    whole = list(_sampler(stop=10))
    for start in range(11):
        sampler = _sampler(start=start, stop=10)
        assert list(sampler) == whole[start:]
        assert len(sampler) == 10 - start


def test_order_follows_the_seed():
    assert list(_sampler(seed=1)) == list(_sampler(seed=1))
    assert list(_sampler(seed=1)) != list(_sampler(seed=2))


def test_batch_larger_than_the_data_set_holds_it_once():
    batches = _indices(_sampler(2, 8, stop=3))
    assert [sorted(batch) for batch in batches] == [[0, 1]] * 3


def test_a_finished_run_gets_no_batch():
    sampler = _sampler(start=6, stop=5)
    assert len(sampler) == 0 and list(sampler) == []


def test_training_batches_follow_the_contract(tiny_root):
    dataset = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)
    batches = list(training_loader(dataset, batch_size=4, max_ite=3))
    assert [len(batch["name"]) for batch in batches] == [4, 2, 4]
    first = batches[0]
    assert {key: tuple(first[key].shape) for key in ("image", "label", "pseudo")} == {
        "image": (4, 3, 32, 32),
        "label": (4, 1, 32, 32),
        "pseudo": (4, 2, 32, 32),
    }
    assert all(first[key].dtype == torch.float32 for key in ("image", "label", "pseudo"))
    assert all(isinstance(name, str) for name in first["name"])


def test_two_workers_give_the_same_batches_as_none(tiny_root):
    dataset = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)
    loaders = [training_loader(dataset, batch_size=4, max_ite=3, num_worker=workers) for workers in (0, 2)]
    for one, other in zip(*loaders, strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["image"], other["image"]) and torch.equal(one["pseudo"], other["pseudo"])


class _Draws(torch.utils.data.Dataset):
    """Says what torch's own generator of a loader process draws."""

    def __len__(self):
        return 4

    def __getitem__(self, key):
        return {"image": torch.rand(1)}


def test_draws_in_loader_processes_follow_the_seed_alone():
    drawn = []
    for seed, global_seed in ((5, 0), (5, 1), (6, 0)):
        torch.manual_seed(global_seed)
        loader = training_loader(_Draws(), batch_size=4, max_ite=2, seed=seed, num_worker=2)
        drawn.append([batch["image"].tolist() for batch in loader])
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("num_worker", [0, 1])
def test_the_global_generator_is_left_alone(tiny_root, num_worker):
    train, test = (build_dataset("kvasir", root=tiny_root, split=split, spatial_size=32) for split in ("train", "test"))
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(training_loader(train, batch_size=4, max_ite=1, num_worker=num_worker))
    list(evaluation_loader(test, batch_size=4, num_worker=num_worker))
    assert torch.equal(torch.rand(1), expected)


def test_resuming_gives_the_same_flips(tiny_root):
    dataset = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)
    whole = list(training_loader(dataset, batch_size=4, max_ite=4))
    torch.manual_seed(123)
    rest = list(training_loader(dataset, batch_size=4, max_ite=4, start=2))
    assert all(torch.equal(one["image"], other["image"]) for one, other in zip(whole[2:], rest, strict=True))


def test_evaluation_keeps_order_and_label_sizes(tiny_root):
    dataset = build_dataset("kvasir", root=tiny_root, split="test", spatial_size=32)
    batches = list(evaluation_loader(dataset, batch_size=2))
    assert [batch["name"] for batch in batches] == [["polyp7", "polyp8"], ["polyp9"]]
    assert batches[0]["image"].shape == (2, 3, 32, 32)
    assert [tuple(label.shape) for label in batches[0]["label"]] == [(1, 40, 48), (1, 42, 46)]
    for batch in batches:
        for name, label in zip(batch["name"], batch["label"], strict=True):
            assert label.dtype == torch.bool
            assert torch.equal(label.float(), dataset[dataset.names.index(name)]["label"])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize(("num_worker", "ahead"), [(1, 4), (2, 4), (3, 6), (4, 4)])
def test_few_batches_wait_in_shared_memory(tiny_root, num_worker, ahead):
    dataset = build_dataset("kvasir", root=tiny_root, split="test", spatial_size=32)
    training = training_loader(dataset, batch_size=1, max_ite=1, num_worker=num_worker)
    for loader in (training, evaluation_loader(dataset, batch_size=1, num_worker=num_worker)):
        assert loader.prefetch_factor * num_worker == ahead


class _SignalsIgnored(torch.utils.data.Dataset):
    """Says from inside a loader process whether the process ignores Ctrl-C and SIGTERM."""

    def __len__(self):
        return 1

    def __getitem__(self, key):
        ignored = all(signal.getsignal(n) is signal.SIG_IGN for n in (signal.SIGINT, signal.SIGTERM))
        return {"image": torch.tensor(float(ignored))}


@pytest.mark.parametrize("kind", ["training", "evaluation"])
def test_loader_processes_leave_signals_to_the_parent(kind):
    if kind == "training":
        loader = training_loader(_SignalsIgnored(), batch_size=1, max_ite=1, num_worker=1)
    else:
        loader = evaluation_loader(_SignalsIgnored(), batch_size=1, num_worker=1)
    assert [batch["image"].tolist() for batch in loader] == [[1.0]]


LOADER_HELD_AT_EXIT = """
import torch
from datasets.loaders import evaluation_loader

class Zeros(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, key):
        return {"image": torch.zeros(1, 4, 4)}

batches = iter(evaluation_loader(Zeros(), batch_size=2, num_worker=2))
next(batches)
# As a traceback or a cycle does.
held = [batches]
held.append(held)
"""


def test_a_loader_that_something_holds_does_not_keep_the_program_from_ending():
    repository = Path(__file__).resolve().parents[2]
    # Of a single core torch warns that two loaders are many.
    command = [sys.executable, "-W", "ignore", "-c", LOADER_HELD_AT_EXIT]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("size", [2, 3, 4])
def test_several_processes_share_each_batch(size):
    # Seven samples in batches of four: four, then three.
    whole = list(IterationSampler(7, 4, start=0, stop=4, seed=0))
    samplers = [IterationSampler(7, 4, start=0, stop=4, seed=0, rank=rank, size=size) for rank in range(size)]
    parts = [list(sampler) for sampler in samplers]
    for iteration, batch in enumerate(whole):
        shares = [sampler.share(iteration) for sampler in samplers]
        assert sum(shares) == pytest.approx(size)
        with_some = [part[iteration] for part, share in zip(parts, shares, strict=True) if share]
        assert sorted(key for part in with_some for key in part) == sorted(batch)
        for part, share in zip(parts, shares, strict=True):
            assert share == pytest.approx(len(part[iteration]) * size / len(batch) if share else 0)
            # A process without a sample takes part all the same.
            assert part[iteration]


def test_one_process_has_all():
    sampler = IterationSampler(7, 4, start=0, stop=4, seed=0)
    assert [sampler.share(iteration) for iteration in range(4)] == [1, 1, 1, 1]
