import pytest
import torch

from models import build_from_weights, build_model

SMALL = (4, 8, 8, 16, 16, 4)


@pytest.mark.parametrize(("channels", "levels", "feat_dim"), [(1, 1, None), (3, 2, 12), (3, 5, None)])
def test_levels_channels_and_features_are_read_from_the_weights(channels, levels, feat_dim):
    model = build_model("unet", in_channels=channels, num_levels=levels, features=SMALL, feat_dim=feat_dim)
    again = build_from_weights(model.state_dict())
    x = torch.randn(1, channels, 32, 32)
    assert len(again.model) == levels
    assert torch.equal(again.eval()(x)["logits"], model.eval()(x)["logits"])


def test_smp_weights_are_rebuilt_from_the_configuration():
    config = {"name": "smp-unet", "in_channels": 3, "num_levels": 2, "features": SMALL, "encoder": "resnet18"}
    model = build_model(**config)
    again = build_from_weights(model.state_dict(), {**config, "encoder_weights": "imagenet"})
    assert torch.equal(again.model[1].classifier.weight, model.model[1].classifier.weight)


def test_foreign_weights_name_the_first_missing_and_unexpected_keys():
    foreign = {"layer1.weight": torch.zeros(3, 3), "layer1.bias": torch.zeros(3)}
    with pytest.raises(
        ValueError, match=r"another architecture.*missing.*model\.0\.encoder.*unexpected.*layer1\.weight"
    ):
        build_from_weights(foreign)


def test_a_missing_weight_is_named():
    weights = build_model("unet", in_channels=3, num_levels=2, features=SMALL).state_dict()
    del weights["model.1.classifier.bias"]
    with pytest.raises(ValueError, match=r"1 missing \(first: model\.1\.classifier\.bias\)"):
        build_from_weights(weights)


def test_a_weight_of_another_shape_is_named():
    weights = build_model("unet", in_channels=3, num_levels=1, features=SMALL).state_dict()
    weights["model.0.classifier.weight"] = torch.zeros(2, 4, 1, 1)
    with pytest.raises(ValueError, match=r"of another shape.*model\.0\.classifier\.weight \(2, 4, 1, 1\)"):
        build_from_weights(weights)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="expected one of unet, smp-unet, found 'vnet'"):
        build_model("vnet", in_channels=3, num_levels=2)
    with pytest.raises(ValueError, match="--encoder resnet0"):
        build_model("smp-unet", in_channels=3, num_levels=1, encoder="resnet0")
