"""The network as it is exported: logits, levels and probability from one image, and nothing of training."""

from collections.abc import Callable

from torch import Tensor, nn

INPUT = "image"
OUTPUTS = ("logits", "level_logits", "probability")
# From an image (B,C,H,W) to the outputs by name.
Runner = Callable[[Tensor], dict[str, Tensor]]


class ExportWrapper(nn.Module):
    """Export wrapper: a network of the output contract with its sigmoid probability beside it.

    ``forward`` maps an image (B,C,H,W), float32 and normalised, to a dict in the order of ``OUTPUTS``: ``logits``
    (B,1,H,W), what the levels say together; ``level_logits`` (L,B,1,H,W); ``probability`` (B,1,H,W), the sigmoid of
    ``logits``, in 0..1.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        said = self.network(image)
        logits = said["logits"]
        return {"logits": logits, "level_logits": said["level_logits"], "probability": logits.sigmoid()}
