"""ONNX: for onnxruntime and most other inference engines."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.fx.experimental import _config as symbolic_shapes

from commands.exporting.torch_export import record
from models.exported import INPUT, OUTPUTS, Exported

# What torch 2.11 writes without converting; read by onnxruntime since 1.14.
OPSET = 18
# A protobuf file ends at 2 GiB; some of it is left for the graph.
LARGEST_SINGLE_FILE = 2**31 - 2**26
AXES = {INPUT: {0: "batch", 2: "height", 3: "width"}} | {
    name: {-4: "batch", -2: "height", -1: "width"} for name in OUTPUTS
}


def write(module: Exported, channels: int, path: Path, *, largest_file: int = LARGEST_SINGLE_FILE) -> dict:
    """Write the graph; see ``formats.Format``. Weights beyond ``largest_file`` bytes go into ``<path>.data``."""
    program = record(module, channels)
    with symbolic_shapes.patch(backed_size_oblivious=True), torch.no_grad(), warnings.catch_warnings():
        # Of torch's and onnxscript's own calls.
        warnings.simplefilter("ignore")
        program = program.run_decompositions({torch.ops.aten.group_norm.default: _group_norm})
        written = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            verbose=False,
        )
        for value in (*written.model.graph.inputs, *written.model.graph.outputs):
            for axis, name in AXES[value.name].items():
                value.shape[axis] = name
        weights = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
        written.save(path, external_data=weights > largest_file)
    import onnx

    return {"opset": OPSET, "ir_version": onnx.load(path, load_external_data=False).ir_version}


def _group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float = 1e-5, _cudnn: bool = True) -> Tensor:
    """Group normalisation of (B,C,H,W) in plain steps.

    Otherwise it is written as InstanceNormalization, which onnxruntime adds up in one float32: 800,000 numbers in the
    first layer, so that logits were wrong by 1e-4 where PyTorch's are by 4e-6. Sums of sums keep the digits.
    """

    def mean(y: Tensor) -> Tensor:
        return y.mean(-1, keepdim=True).mean(-2, keepdim=True).mean(-3, keepdim=True)

    grouped = x.unflatten(1, (groups, x.shape[1] // groups))
    centred = grouped - mean(grouped)
    scaled = centred * torch.rsqrt(mean(centred * centred) + eps)
    return scaled.flatten(1, 2) * weight[:, None, None] + bias[:, None, None]


def load(path: Path) -> Callable[[Tensor], dict[str, Tensor]]:
    """Read a file with onnxruntime, on the CPU; see ``formats.Format``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(image: Tensor) -> dict[str, Tensor]:
        outputs = session.run(list(OUTPUTS), {INPUT: image.numpy()})
        return dict(zip(OUTPUTS, map(torch.from_numpy, outputs), strict=True))

    return run
