"""Holds the fused kernels to the torch operations on the CPU, for test_propagation_triton.

A program of its own: triton reads TRITON_INTERPRET when it is imported.
"""

import torch

from models import propagation_torch, propagation_triton

LAST = torch.channels_last
# batch, channels, value's channels, height, width, kernel_size, dilation, type, memory format
CASES = [
    (1, 3, 1, 5, 7, 3, 1, torch.float32, torch.contiguous_format),  # fewer pixels than a tile
    (1, 2, 2, 3, 45, 5, 2, torch.float32, torch.contiguous_format),  # a tile and a part of one; value as wide as key
    (1, 2, 2, 3, 4, 5, 3, torch.float64, torch.contiguous_format),  # the window is larger than the image
    (1, 1, 1, 2, 3, 1, 1, torch.float32, torch.contiguous_format),  # no neighbours
    (2, 6, 1, 4, 5, 3, 2, torch.float32, LAST),  # a load of 4 channels, and the rest
    (1, 9, 9, 4, 5, 3, 1, torch.float16, LAST),
    (1, 8, 2, 3, 6, 3, 1, torch.bfloat16, LAST),
]
# The interpreter cuts bfloat16 off in place of rounding it.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 3e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}


def steps(module, grad_out, key, value, *window):
    out, similarities = module.forward(key, value, *window)
    return out, similarities, *module.backward(grad_out, key, value, similarities, *window)


for batch, channels, depth, height, width, *window, dtype, memory_format in CASES:
    torch.manual_seed(0)
    key, value, grad_out = (
        torch.randn(batch, n, height, width).to(dtype).to(memory_format=memory_format) for n in (channels, depth, depth)
    )
    found = steps(propagation_triton, grad_out, key, value, *window)
    expected = steps(propagation_torch, grad_out.double(), key.double(), value.double(), *window)
    for name, a, b in zip(("out", "similarities", "grad_key", "grad_value"), found, expected, strict=True):
        scale = b.abs().max().item()
        error = (a.double() - b).abs().max().item()
        assert error <= TOLERANCE[dtype] * scale, (name, dtype, window, error, scale)
    assert [x.dtype for x in (found[0], *found[2:])] == [dtype] * 3
    assert found[2].stride() == key.stride()
    assert (found[0].stride(), found[3].stride()) == (value.stride(), value.stride())
print(f"checked {len(CASES)} cases")
