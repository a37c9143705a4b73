"""The fused kernels: interpreted on the CPU, built without a device, chosen or given up, and on a CUDA device."""

import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from models import propagation, propagation_torch
from models.propagation import propagate

HERE = Path(__file__).parent
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


def run_in_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=HERE.parents[1], env=os.environ | environment, capture_output=True, text=True
    )


def value_and_gradients(key, value, grad_out, **window):
    key, value = key.requires_grad_(), value.requires_grad_()
    out = propagate(key, value, **window)
    return out.detach(), *torch.autograd.grad(out, (key, value), grad_out)


@needs_triton
def test_interpreted_kernels_give_what_torch_gives():
    done = run_in_python((HERE / "interpreted_kernels.py").read_text(), TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "checked" in done.stdout


@needs_triton
def test_kernels_build_without_a_device(tmp_path):
    code = (HERE / "built_kernels.py").read_text()
    done = run_in_python(code, TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["_forward_kernel", "_softmax_gradient_kernel", "_gather_kernel"] * 2


class Broken:
    """Kernels that cannot be built."""

    def __init__(self, steps):
        self.steps, self.calls = steps, []

    def __getattr__(self, step):
        def run(*args):
            self.calls.append(step)
            if step in self.steps:
                raise RuntimeError("no C compiler\nand many more lines")
            return getattr(propagation_torch, step)(*args)

        return run


@pytest.mark.parametrize("broken_step", ["forward", "backward"])
def test_where_the_kernels_fail_torch_takes_over_with_a_warning(monkeypatch, broken_step):
    kernels = Broken({broken_step})
    monkeypatch.setattr(propagation, "_kernels", lambda: kernels)
    monkeypatch.setattr(propagation, "_on_cuda", lambda x: True)
    feature = torch.ones(1, 1, 2, 2, requires_grad=True)
    with pytest.warns(RuntimeWarning, match=r"fused CUDA kernels .*\(RuntimeError: no C compiler\)"):
        propagate(feature, feature).sum().backward()
    assert kernels.calls == ["forward", "backward"]
    through_torch = feature.grad.clone()
    feature.grad = None
    monkeypatch.undo()
    propagate(feature, feature).sum().backward()
    torch.testing.assert_close(through_torch, feature.grad)


def test_too_little_memory_is_no_reason_to_take_a_way_that_needs_more(monkeypatch):
    def forward(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(propagation, "_kernels", lambda: type("Kernels", (), {"forward": staticmethod(forward)}))
    monkeypatch.setattr(propagation, "_on_cuda", lambda x: True)
    with pytest.raises(torch.OutOfMemoryError):
        propagate(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))


def test_the_cpu_asks_for_no_kernels(monkeypatch):
    monkeypatch.setattr(propagation, "_kernels", lambda: pytest.fail("asked"))
    propagate(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))


@pytest.mark.gpu
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("depth", "kernel_size", "dilation"), [(1, 5, 2), (32, 5, 2), (3, 3, 1), (32, 5, 30)])
def test_on_a_device_the_kernels_run_and_are_right(monkeypatch, dtype, memory_format, depth, kernel_size, dilation):
    torch.manual_seed(0)
    tensors = [torch.randn(2, n, 37, 45).div(2).to(dtype).to(memory_format=memory_format) for n in (32, depth, depth)]
    window = {"kernel_size": kernel_size, "dilation": dilation}
    expected = value_and_gradients(*(x.double() for x in tensors), **window)
    monkeypatch.setattr(propagation_torch, "forward", None)
    monkeypatch.setattr(propagation_torch, "backward", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = value_and_gradients(*(x.cuda() for x in tensors), **window)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        assert (a.cpu() - b).abs().max() <= max(torch.finfo(dtype).eps * 20, 1e-12) * b.abs().max()


@pytest.mark.gpu
def test_on_a_device_kernels_and_torch_agree_and_repeat_to_the_bit():
    from models import propagation_triton

    torch.manual_seed(0)
    key, value, grad_out = (torch.randn(2, n, 64, 48, device="cuda") for n in (128, 1, 1))
    results = []
    for module in (propagation_triton, propagation_triton, propagation_torch):
        out, similarities = module.forward(key, value, 5, 2)
        results.append((out, similarities, *module.backward(grad_out, key, value, similarities, 5, 2)))
    assert all(torch.equal(a, b) for a, b in zip(*results[:2], strict=True))
    for a, b in zip(*results[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * b.abs().max().item())
