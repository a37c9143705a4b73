"""Threads and loader processes: together no more than the cores."""

import joblib
import pytest
import torch

from utils import devices
from utils.devices import use_cores

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(devices, "THREADS_AT_START", 16)


@pytest.mark.parametrize(
    ("device", "asked", "shared"),
    [
        # What a CPU computes does not depend on the loaders that are asked for.
        (CPU, {}, (8, 0)),
        (CPU, {"loaders": 3}, (8, 0)),
        (CPU, {"threads": 6}, (6, 2)),
        (CPU, {"threads": 2}, (2, 4)),
        (CPU, {"threads": 2, "loaders": 7}, (2, 6)),
        (CPU, {"threads": 2, "loaders": 0}, (2, 0)),
        (CPU, {"processes": 3}, (2, 0)),
        (CPU, {"processes": 30}, (1, 0)),
        (GPU, {}, (4, 4)),
        (GPU, {"loaders": 20}, (1, 7)),
        (GPU, {"threads": 5}, (5, 3)),
        (GPU, {"processes": 4}, (1, 1)),
    ],
)
def test_together_no_more_than_the_cores(eight_cores, device, asked, shared):
    assert use_cores(device, **asked) == shared


def test_the_environment_may_ask_for_fewer_threads(eight_cores, monkeypatch):
    monkeypatch.setattr(devices, "THREADS_AT_START", 3)
    assert use_cores(CPU) == (3, 4)


def test_more_threads_than_cores_are_a_sentence(eight_cores):
    with pytest.raises(ValueError, match=r"--threads: expected at most 8, the cores here, found 9"):
        use_cores(CPU, threads=9)
    with pytest.raises(ValueError, match=r"at most 4, the cores of each of 2 processes here, found 5"):
        use_cores(CPU, threads=5, processes=2)


def test_torch_is_told():
    before = torch.get_num_threads()
    try:
        assert use_cores(CPU, threads=1, loaders=0) == (1, 0)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
