"""Builds the fused kernels for a CUDA device that need not be there, for test_propagation_triton."""

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from models import propagation_triton

TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}
KERNELS = {
    name: getattr(propagation_triton, name)
    for name in ("_forward_kernel", "_softmax_gradient_kernel", "_gather_kernel")
}


class BuildInsteadOfLaunch:
    def __init__(self, kernel, capability):
        self.kernel, self.target = kernel, GPUTarget("cuda", capability, 32)

    def __getitem__(self, grid):
        return self.build

    def build(self, *args, num_warps, **constants):
        """As a launch would: an argument of 1 is built in, and what 16 divides is marked as such."""
        arguments = dict(zip(self.kernel.arg_names, args, strict=False)) | constants
        constants |= {name: x for name, x in arguments.items() if isinstance(x, int) and x == 1}
        types = {name: "constexpr" if name in constants else TYPES.get(getattr(arguments[name], "dtype", None), "i32")
                 for name in self.kernel.arg_names}  # fmt: skip
        marks = {
            (place,): [["tt.divisibility", 16]]
            for place, (name, x) in enumerate(arguments.items())
            if name not in constants and (isinstance(x, torch.Tensor) or x % 16 == 0)
        }
        source = ASTSource(self.kernel, types, {name: arguments[name] for name in constants}, marks)
        assert triton.compile(source, target=self.target, options={"num_warps": num_warps}).asm["cubin"]
        print(self.kernel.__name__)


NCHW, NHWC = torch.contiguous_format, torch.channels_last
for capability, dtype, memory_format in ((80, torch.float32, NCHW), (90, torch.bfloat16, NHWC)):
    for name, kernel in KERNELS.items():
        setattr(propagation_triton, name, BuildInsteadOfLaunch(kernel, capability))
    key, value = (torch.empty(1, n, 16, 32, dtype=dtype).to(memory_format=memory_format) for n in (128, 1))
    _, similarities = propagation_triton.forward(key, value, 5, 2)
    propagation_triton.backward(value, key, value, similarities, 5, 2)
