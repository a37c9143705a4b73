"""Devices and precision."""

import pytest
import torch

from utils.devices import pick_device, precision


@pytest.mark.parametrize("choice", ["cpu", "CPU", " cpu "])
def test_cpu(choice):
    assert pick_device(choice) == torch.device("cpu")


@pytest.mark.parametrize(("num_devices", "expected"), [(0, "cpu"), (2, "cuda")])
def test_no_choice_takes_the_gpu_if_there_is_one(monkeypatch, num_devices, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_devices > 0)
    assert pick_device(None) == torch.device(expected)


@pytest.mark.parametrize(("choice", "index"), [("0", 0), ("1", 1), (1, 1), ("cuda", 0), ("cuda:1", 1), ("CUDA:0", 0)])
def test_gpu_by_index(monkeypatch, choice, index):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device(choice) == torch.device("cuda", index)


@pytest.mark.parametrize(("choice", "num_devices"), [("0", 0), ("cuda", 0), ("2", 2), ("cuda:7", 2)])
def test_gpu_that_is_not_there(monkeypatch, choice, num_devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_devices)
    with pytest.raises(ValueError, match=rf"--device {choice}: expected one of {num_devices} CUDA devices"):
        pick_device(choice)


@pytest.mark.parametrize("choice", ["gpu", "-1", "cuda:x", "0,1", "mps"])
def test_another_word(choice):
    with pytest.raises(ValueError, match="expected a CUDA index or cpu, found"):
        pick_device(choice)


def test_full_precision_is_the_default_of_nothing_changed():
    autocast, scaler = precision(False, torch.device("cpu"))
    with autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert not scaler.is_enabled()


def test_half_precision_on_the_cpu_is_bfloat16_without_scaling():
    autocast, scaler = precision(True, torch.device("cpu"))
    for _ in range(2):  # a fresh context every time
        with autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert not scaler.is_enabled()


@pytest.mark.gpu
def test_half_precision_on_the_gpu_is_float16_with_scaling():
    device = pick_device(None)
    autocast, scaler = precision(True, device)
    with autocast():
        assert (torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)).dtype == torch.float16
    assert scaler.is_enabled()
