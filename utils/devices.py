"""Which device to use, and in which precision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch


def pick_device(choice: str | None) -> torch.device:
    """A device from the command line: a CUDA index, ``cuda``, ``cpu``, or None for the GPU if there is one.

    Raises:
        ValueError: for another word, or a GPU that is not there.
    """
    if choice is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    text = str(choice).strip().lower()
    if text == "cpu":
        return torch.device("cpu")
    index = text.removeprefix("cuda").removeprefix(":") or "0"
    if not index.isdigit():
        raise ValueError(f"--device: expected a CUDA index or cpu, found {choice!r}")
    if int(index) >= torch.cuda.device_count():
        raise ValueError(
            f"--device {choice}: expected one of {torch.cuda.device_count()} CUDA devices; use --device cpu"
        )
    return torch.device("cuda", int(index))


def precision(
    fp16: bool, device: torch.device
) -> tuple[Callable[[], contextlib.AbstractContextManager], torch.GradScaler]:
    """The autocast context and the gradient scaler of a run.

    ``fp16`` means float16 on a GPU, and bfloat16 on the CPU, whose float16 arithmetic is slow; only float16
    needs its gradients scaled.
    """
    dtype = torch.float16 if device.type == "cuda" else torch.bfloat16

    def autocast() -> contextlib.AbstractContextManager:
        return torch.autocast(device.type, dtype=dtype, enabled=fp16)

    return autocast, torch.GradScaler(device.type, enabled=fp16 and dtype is torch.float16)
