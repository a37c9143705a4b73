"""Export wrapper of the network: logits, level logits and probability from an image."""

from collections.abc import Callable

from torch import Tensor, nn

INPUT = "image"
OUTPUTS = ("logits", "level_logits", "probability")
# From an image (B,C,H,W) to the outputs by name.
Runner = Callable[[Tensor], dict[str, Tensor]]


class ExportWrapper(nn.Module):
    """Export wrapper: adds the sigmoid probability to a network's outputs.

    ``forward`` maps an image (B,C,H,W), float32 and normalised, to a dict in the order of ``OUTPUTS``: ``logits``
    (B,1,H,W), the ensemble of the levels; ``level_logits`` (L,B,1,H,W); ``probability`` (B,1,H,W), the sigmoid of
    ``logits``, in 0..1.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        outputs = self.network(image)
        logits = outputs["logits"]
        return {"logits": logits, "level_logits": outputs["level_logits"], "probability": logits.sigmoid()}
