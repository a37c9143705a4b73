"""Export by torch.export: PyTorch's own graph, for Python and for ahead-of-time compilation."""

import io
import warnings
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbolic_shapes

from inference.exporting.network import INPUT, ExportWrapper, Runner
from inference.predictor import Predictor
from models.graph_export import integer_same_padding

# Arbitrary, as batch and sizes stay open; different, so that torch takes none for another.
EXAMPLE_SIZE = (2, 80, 64)


def record(module: ExportWrapper, channels: int) -> ExportedProgram:
    """Trace the graph of a network, with batch, height and width open, and without the paths of this machine."""
    batch, *size = EXAMPLE_SIZE
    open_axes = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    # Otherwise torch specialises a batch of 1, and a side of 1 in the deepest layer, that of a 16x16 image. Ignored
    # warnings come from torch's own calls; the graph is checked on several sizes.
    with (
        symbolic_shapes.patch(backed_size_oblivious=True),
        integer_same_padding(),
        torch.no_grad(),
        warnings.catch_warnings(action="ignore"),
    ):
        program = torch.export.export(module, (torch.zeros(batch, channels, *size),), dynamic_shapes={INPUT: open_axes})
    for graph_module in program.graph_module.modules():
        for node in getattr(getattr(graph_module, "graph", None), "nodes", ()):
            node.meta.pop("stack_trace", None)
    return program


def write(module: ExportWrapper, predictor: Predictor, path: Path) -> dict:
    """Write the program; see ``formats.Format``."""
    program = record(module, predictor.preprocessing.channels)
    with warnings.catch_warnings(action="ignore"):
        # In memory, as torch's own writer ends the process on a full disk.
        whole = io.BytesIO()
        torch.export.save(program, whole)
    path.write_bytes(whole.getbuffer())
    return {}


def load(path: Path) -> Runner:
    """Read a program back; see ``formats.Format``."""
    with warnings.catch_warnings(action="ignore"):
        return torch.export.load(path).module()
