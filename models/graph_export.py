"""Graph capture (torch.export, ONNX): operations that hold for images of other sizes than the traced one."""

import contextlib
import sys
from collections.abc import Iterator

import torch
from torch import Tensor


def is_tracing() -> bool:
    """Whether torch is exporting a graph, in which each branch would stay as the traced image's size takes it."""
    if torch.compiler.is_dynamo_compiling():
        # torch.compile claims to be exporting, too. It handles branches, and the branch-free form makes it generate
        # code that corrupts memory (torch 2.11, on a CPU).
        return False
    return torch.compiler.is_exporting()


def crop_or_replicate_pad(x: Tensor, height: int, width: int) -> Tensor:
    """Crop or replicate-pad at the right and bottom: (B,C,h,w) -> (B,C,height,width).

    The same for all sizes, without a branch.
    """
    rows, columns = (_clamped_index(x, length, x.shape[dim] - 1) for dim, length in ((-2, height), (-1, width)))
    return x.index_select(-2, rows).index_select(-1, columns)


def _clamped_index(x: Tensor, length: int, last: int) -> Tensor:
    """0, 1, 2, ... up to ``last`` and no further, (length,) int64, where ``x`` is."""
    # Not arange: the device would be recorded as a constant, and the graph run on this one alone.
    return (x.new_ones(length, dtype=torch.int64).cumsum(0) - 1).clamp(max=last)


@contextlib.contextmanager
def integer_same_padding() -> Iterator[None]:
    """Meanwhile let timm compute its padding in whole numbers: math.ceil of an open size cannot be saved in a graph."""
    padding = sys.modules.get("timm.layers.padding")
    if padding is None:
        yield
        return
    before, padding.get_same_padding = padding.get_same_padding, _same_padding
    try:
        yield
    finally:
        padding.get_same_padding = before


def _same_padding(size: int, kernel_size: int, stride: int, dilation: int) -> int:
    # As timm's, by the remainder alone, and without a branch where there is none: both make the tracing much faster.
    reach, beyond = (kernel_size - 1) * dilation, (size - 1) % stride
    return reach - beyond if reach >= stride - 1 else max(reach - beyond, 0)
