"""Graph capture (torch.export, ONNX): operations that hold for images of other sizes than the traced one."""

import torch
from torch import Tensor


def is_tracing() -> bool:
    """Whether torch records what is computed, and would keep each branch the way this image's size has it taken."""
    if torch.compiler.is_dynamo_compiling():
        # torch.compile, which says that it is exporting, too. It records for the sizes that it meets, and what stands
        # in for a branch here makes it write code that corrupts memory (torch 2.11, on a CPU).
        return False
    return torch.compiler.is_exporting()


def crop_or_replicate_pad(x: Tensor, height: int, width: int) -> Tensor:
    """(B,C,h,w) -> (B,C,height,width): cut at the right and bottom, or the last row and column repeated.

    The same for all sizes, without a branch.
    """
    rows, columns = (_clamped_index(x, length, x.shape[dim] - 1) for dim, length in ((-2, height), (-1, width)))
    return x.index_select(-2, rows).index_select(-1, columns)


def _clamped_index(x: Tensor, length: int, last: int) -> Tensor:
    """0, 1, 2, ... up to ``last`` and no further, (length,) int64, where ``x`` is."""
    # Not arange: the device would be recorded as a constant, and the graph run on this one alone.
    return (x.new_ones(length, dtype=torch.int64).cumsum(0) - 1).clamp(max=last)
