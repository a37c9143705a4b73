"""Devices and precision."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from utils.devices import (
    autocast_and_scaler,
    keep_freed_memory,
    make_deterministic,
    peak_memory_gb,
    pick_device,
    resolve_amp,
)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("choice", ["cpu", "CPU", " cpu "])
def test_cpu(choice):
    assert pick_device(choice) == torch.device("cpu")


@pytest.mark.parametrize(("num_devices", "expected"), [(0, "cpu"), (2, "cuda")])
def test_no_choice_takes_the_gpu_if_there_is_one(monkeypatch, num_devices, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_devices > 0)
    assert pick_device(None) == torch.device(expected)


@pytest.mark.parametrize(
    ("choice", "index"), [("0", 0), ("1", 1), (1, 1), ("1,0", 1), ("cuda", 0), ("cuda:1", 1), ("CUDA:0", 0)]
)
def test_gpu_by_index(monkeypatch, choice, index):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device(choice) == torch.device("cuda", index)


@pytest.mark.parametrize(("choice", "num_devices"), [("0", 0), ("cuda", 0), ("2", 2), ("cuda:7", 2)])
def test_gpu_that_is_not_there(monkeypatch, choice, num_devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_devices)
    with pytest.raises(ValueError, match=rf"--device {choice}: expected one of {num_devices} CUDA devices"):
        pick_device(choice)


@pytest.mark.parametrize("choice", ["gpu", "-1", "cuda:x", "0,x", "0,", "mps"])
def test_another_word(choice):
    with pytest.raises(ValueError, match="expected a CUDA index or cpu, found"):
        pick_device(choice)


def test_full_precision_is_the_default_of_nothing_changed():
    autocast, scaler = autocast_and_scaler("off", torch.device("cpu"))
    with autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert not scaler.is_enabled()


def test_bfloat16_needs_no_scaling():
    autocast, scaler = autocast_and_scaler("bf16", torch.device("cpu"))
    for _ in range(2):  # a fresh context every time
        with autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert not scaler.is_enabled()


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_float16_scales_its_gradients(device):
    device = pick_device(device)
    autocast, scaler = autocast_and_scaler("fp16", device)
    with autocast():
        assert (torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)).dtype == torch.float16
    assert scaler.is_enabled()


@pytest.mark.parametrize(
    ("amp", "fp16", "device", "meant"),
    [
        (None, False, "cpu", "off"),
        (None, True, "cpu", "bf16"),
        (None, True, "cuda", "fp16"),
        ("bf16", False, "cuda", "bf16"),
    ],
)
def test_fp16_means_what_the_device_is_good_at(amp, fp16, device, meant):
    assert resolve_amp(amp, fp16, torch.device(device)) == meant


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_only_a_gpu_has_to_be_made_deterministic(monkeypatch, kind):
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    monkeypatch.setattr(os, "environ", {})
    make_deterministic(torch.device(kind))
    assert asked == [True] * (kind == "cuda")
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if kind == "cuda" else None)


def test_peak_memory_never_falls_and_is_that_of_a_process():
    before = peak_memory_gb(torch.device("cpu"))
    block = torch.ones(100_000_000, dtype=torch.uint8)
    assert peak_memory_gb(torch.device("cpu")) >= before > 0.05
    del block


@pytest.mark.parametrize(("native", "meant"), [(True, "bf16"), (False, "off")])
def test_auto_is_bfloat16_where_the_machine_has_it(monkeypatch, native, meant):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: native)
    assert resolve_amp("auto", False, torch.device("cpu")) == meant


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
def test_freed_memory_is_used_again_and_not_cleared_anew():
    script = """
import resource, torch
from utils.devices import keep_freed_memory
keep_freed_memory()
for _ in range(4):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    # 64 MiB are 16,384 pages; a busy machine that moves some adds a few.
    assert int(done.stdout) < 8192, done.stderr


def test_a_c_library_without_mallopt(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
