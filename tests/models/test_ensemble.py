"""Several models and mirror images, averaged."""

import pytest
import torch
from torch import nn

from models import Ensemble
from models.multi_level import ENSEMBLES

X = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])


class Said(nn.Module):
    """Says the same logits whatever it sees; a level each."""

    def __init__(self, *levels):
        super().__init__()
        self.model = [None] * len(levels)
        self.levels = torch.tensor(levels).reshape(-1, 1, 1, 1, 1)

    def forward(self, x):
        return {"level_logits": self.levels.expand(-1, len(x), 1, *x.shape[-2:])}


class LeftOfImage(nn.Module):
    """One level: the image, with its left column doubled."""

    model = (None,)

    def forward(self, x):
        return {"level_logits": (x * torch.tensor([2.0, 1.0]))[None]}


def test_one_model_is_itself():
    outputs = Ensemble([Said(1.0, 5.0)])(X)
    assert outputs["level_logits"].shape == (2, 1, 1, 2, 2)
    assert outputs["level_logits"][:, 0, 0, 0, 0].tolist() == [1, 5]
    assert outputs["logits"].shape == (1, 1, 2, 2) and outputs["logits"][0, 0, 0, 0] == 3


def test_levels_are_averaged_over_models_and_then_with_one_another():
    outputs = Ensemble([Said(1.0, 5.0), Said(3.0, 9.0)])(X)
    assert outputs["level_logits"][:, 0, 0, 0, 0].tolist() == [2, 7]
    assert outputs["logits"][0, 0, 0, 0] == 4.5


def test_probabilities_are_averaged_over_models_and_levels_alike():
    outputs = Ensemble([Said(-100.0, 0.0), Said(2.0, 2.0)], ensemble="probs")(X)
    expected = torch.tensor([-100.0, 0.0, 2.0, 2.0]).sigmoid().mean()
    torch.testing.assert_close(outputs["logits"].sigmoid(), expected.expand(1, 1, 2, 2))


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_flips_are_turned_back(ensemble):
    class Echo(LeftOfImage):
        def forward(self, x):
            return {"level_logits": x[None]}

    outputs = Ensemble([Echo()], flips=True, ensemble=ensemble)(X)
    torch.testing.assert_close(outputs["logits"], X)


def test_views_are_the_four_mirror_images():
    # Doubled on the left as it is and upside down, on the right in the two others: 1.5 in the mean.
    outputs = Ensemble([LeftOfImage()], flips=True)(X)
    torch.testing.assert_close(outputs["logits"], 1.5 * X)


@pytest.mark.parametrize(("models", "found"), [([Said(1.0), Said(1.0, 2.0)], "1, 2"), ([], "none")])
def test_models_of_other_numbers_of_levels(models, found):
    with pytest.raises(ValueError, match=f"same number of levels, found {found}"):
        Ensemble(models)
