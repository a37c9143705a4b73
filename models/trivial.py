"""Trivial baselines that ignore the image: any result has to beat them."""

import torch
from torch import Tensor, nn


class ConstantMap(nn.Module):
    """Constant prediction, the same for every image; follows the output contract of ``MultiLevelModel``.

    Args:
        logits: (1,S,S), positive where foreground is predicted.
    """

    def __init__(self, logits: Tensor):
        super().__init__()
        self.register_buffer("constant", logits)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        logits = self.constant.expand(len(x), -1, -1, -1)
        return {"logits": logits, "level_logits": logits[None]}


def everything(size: int) -> ConstantMap:
    """Predicts foreground everywhere."""
    return ConstantMap(torch.ones(1, size, size))


def mean_map(training_masks: Tensor) -> ConstantMap:
    """Predicts the thresholded mean of the training masks.

    Args:
        training_masks: (N,S,S) in {0,1}.

    The mean over N is cut at the share, of 1 to 99 per cent, that gives the best mean Dice against the
    training masks themselves, so no test mask takes part.
    """
    share = training_masks.float().mean(dim=0)
    cuts = torch.arange(1, 100, device=share.device) / 100
    best = max(cuts, key=lambda cut: _mean_dice(share >= cut, training_masks))
    return ConstantMap(torch.where(share >= best, 1.0, -1.0)[None])


def _mean_dice(prediction: Tensor, masks: Tensor) -> float:
    overlap = (prediction * masks).sum(dim=(1, 2)).float()
    total = prediction.sum() + masks.sum(dim=(1, 2)).float()
    return float((2 * overlap / total.clamp(min=1)).mean())
