import json

import pytest
import torch

from models import build_model
from models.basic_unet import BasicUNet

SMALL = (4, 8, 8, 16, 16, 4)


def test_released_names_shapes_and_size(golden):
    expected = json.loads((golden / "meta.json").read_text())["state_dict"]
    model = build_model("unet", in_channels=3, num_levels=2)
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == expected
    assert list(model.state_dict()) == list(expected)
    assert sum(p.numel() for p in model.parameters()) == 62_768_770


def test_the_prostate_model_differs_in_its_first_convolution_only(golden):
    meta = json.loads((golden / "meta.json").read_text())
    expected = {**meta["state_dict"], **meta["state_dict_prostate_first_conv"]}
    model = build_model("unet", in_channels=1, num_levels=2)
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == expected


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 23), (31, 48)])
def test_feature_has_the_size_of_the_image_odd_or_even(height, width):
    feature = BasicUNet(3, 5, SMALL)(torch.randn(2, 3, height, width))
    assert feature.shape == (2, 5, height, width)


@pytest.mark.parametrize("features", [(4, 8, 8, 16, 16), (4, 8, 6, 16, 16, 4), (0, 8, 8, 16, 16, 4)])
def test_features_that_do_not_fit_the_norm_are_refused(features):
    with pytest.raises(ValueError, match="six positive multiples of 4"):
        BasicUNet(3, 5, features)
