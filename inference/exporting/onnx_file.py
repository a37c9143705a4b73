"""Export to ONNX, for onnxruntime and most other inference engines."""

import copy
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as symbolic_shapes

from inference.exporting.network import INPUT, OUTPUTS, ExportWrapper, Runner
from inference.exporting.torch_export import record
from inference.predictor import Predictor

# The opset that torch 2.11 writes without converting, and the file version (IR) of its time: torch's own would exclude
# older engines (onnxruntime before 1.18), and nothing of it is used.
OPSET, IR_VERSION = 18, 8
# The limit of protobuf is 2 GiB; some of it is left for the graph.
LARGEST_SINGLE_FILE = 2**31 - 2**26
AXES = {INPUT: {0: "batch", 2: "height", 3: "width"}} | {
    name: {-4: "batch", -2: "height", -1: "width"} for name in OUTPUTS
}


def write(module: ExportWrapper, predictor: Predictor, path: Path, *, largest_file: int = LARGEST_SINGLE_FILE) -> dict:
    """Write the graph; see ``formats.Format``. Weights beyond ``largest_file`` bytes go into ``<path>.data``."""
    program = record(_with_plain_group_norm(module), predictor.preprocessing.channels)
    # Ignored warnings come from torch's and onnxscript's own calls.
    with symbolic_shapes.patch(backed_size_oblivious=True), torch.no_grad(), warnings.catch_warnings(action="ignore"):
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
        written.model.ir_version = IR_VERSION
        weights = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
        written.save(path, external_data=weights > largest_file)
    return {"opset": OPSET, "ir_version": IR_VERSION}


class PlainGroupNorm(nn.Module):
    """Group normalisation of (B,C,H,W) in elementary operations.

    Otherwise it is exported as InstanceNormalization, which onnxruntime sums in one float32: 800,000 numbers in the
    first layer, with errors of 1e-4 in the logits where PyTorch's are 4e-6. Sums of sums keep the digits.
    """

    def __init__(self, norm: nn.GroupNorm):
        super().__init__()
        self.num_groups, self.eps = norm.num_groups, norm.eps
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        grouped = x.unflatten(1, (self.num_groups, x.shape[1] // self.num_groups))
        centred = grouped - self._mean(grouped)
        scaled = centred * torch.rsqrt(self._mean(centred * centred) + self.eps)
        return scaled.flatten(1, 2) * self.weight[:, None, None] + self.bias[:, None, None]

    @staticmethod
    def _mean(x: Tensor) -> Tensor:
        return x.mean(-1, keepdim=True).mean(-2, keepdim=True).mean(-3, keepdim=True)


def _with_plain_group_norm(module: nn.Module) -> nn.Module:
    """A copy of a network with ``PlainGroupNorm`` in place of its group normalisation."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            # Not of its subclasses, which may do more.
            if type(child) is nn.GroupNorm:
                setattr(parent, name, PlainGroupNorm(child))
    return module


def load(path: Path) -> Runner:
    """Read a file with onnxruntime, on the CPU; see ``formats.Format``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(image: Tensor) -> dict[str, Tensor]:
        outputs = session.run(list(OUTPUTS), {INPUT: image.numpy()})
        return dict(zip(OUTPUTS, map(torch.from_numpy, outputs), strict=True))

    return run
