"""Ensembles of models, and test-time augmentation (TTA) over an image and its mirror images."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.multi_level import ENSEMBLES, check_choice

# Axes along which a view is flipped, and its logits flipped back.
NO_FLIP, FLIPS = ((),), ((), (-1,), (-2,), (-2, -1))


class Ensemble(nn.Module):
    """Ensemble of models of equal levels, each on the image as it is and, on demand, on its three mirror images.

    ``forward`` keeps the output contract of ``MultiLevelModel``. A level is averaged over models and views, and the
    prediction is the average of the levels, so that all of them have the same weight.

    Args:
        models: one or more ``MultiLevelModel`` with the same number of levels.
        flips: test-time augmentation, the average over the four views; four times the work.
        ensemble: what is averaged, a key of ``ENSEMBLES``, in place of the models' own.

    Raises:
        ValueError: for no model, different numbers of levels, or no such ensemble.
    """

    def __init__(self, models: Sequence[nn.Module], *, flips: bool = False, ensemble: str = "logits"):
        super().__init__()
        levels = [len(model.model) for model in models]
        if len(set(levels)) != 1:
            raise ValueError(
                "ensemble: expected one checkpoint, or several with the same number of levels, found "
                f"{', '.join(map(str, levels)) or 'none'}; evaluate those of other levels apart"
            )
        check_choice("ensemble", ensemble, tuple(ENSEMBLES))
        self.members = nn.ModuleList(models)
        self.num_levels = levels[0]
        self.ensemble = ensemble
        self.views = FLIPS if flips else NO_FLIP

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        average = ENSEMBLES[self.ensemble]
        predictions = [
            member(x.flip(view))["level_logits"].flip(view) if view else member(x)["level_logits"]
            for member in self.members
            for view in self.views
        ]
        level_logits = average(torch.stack(predictions)) if len(predictions) > 1 else predictions[0]
        return {"logits": average(level_logits), "level_logits": level_logits}
