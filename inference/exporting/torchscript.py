"""TorchScript: a recorded graph for LibTorch (C++) and older programs."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from inference.exporting.network import Exported
from inference.predictor import Predictor

EXAMPLE_SIZE = (2, 80, 64)


def write(module: Exported, predictor: Predictor, path: Path) -> dict:
    """Trace and write; see ``formats.Format``.

    Recorded and not compiled from the source, which smp's networks are not made for. While it is recorded, the networks
    take no branch by an image's size (``models.graph_export``), so the graph holds for others, too.
    """
    batch, *size = EXAMPLE_SIZE
    # torch.jit is deprecated and says so at each call, which the user of this format knows from the help and the card;
    # the tracer warns of branches in torch's own functions, which the check on several sizes covers.
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # strict=False allows a dict of outputs.
        traced = torch.jit.trace(module, torch.zeros(batch, predictor.channels, *size), strict=False, check_trace=False)
        # On a full disk torch's own writer ends the process.
        whole = io.BytesIO()
        torch.jit.save(traced, whole)
    _write_without_debug_records(whole, path)
    return {}


def _write_without_debug_records(whole: io.BytesIO, path: Path) -> None:
    """The same archive but for where in the source each step is from, which tells the paths of this machine."""
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(entry, old.read(entry))


def load(path: Path) -> Callable[[Tensor], dict[str, Tensor]]:
    """Read a graph back; see ``formats.Format``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.jit.load(path, map_location="cpu")

    def run(image: Tensor) -> dict[str, Tensor]:
        # Else each new size is compiled for anew, which takes longer than to compute it.
        with torch.jit.optimized_execution(False):
            return graph(image)

    return run
