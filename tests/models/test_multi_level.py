import numpy as np
import pytest
import torch

from models import build_model

SMALL = (4, 8, 8, 16, 16, 4)


def small(num_levels=2, **settings):
    return build_model("unet", in_channels=3, num_levels=num_levels, features=SMALL, **settings)


@pytest.mark.parametrize(("data", "channels"), [("kvasir", 3), ("prostate", 1)])
def test_golden_logits(golden, seeded_weights, data, channels):
    expected = np.load(golden / f"model_{data}.npz")
    model = build_model("unet", in_channels=channels, num_levels=2)
    seeded_weights(model)
    # GroupNorm knows no modes, so training mode gives the same logits, and the propagated ones too.
    with torch.no_grad():
        outputs = model.train()(torch.tensor(expected["x"]))
        feature = model.model[0](torch.tensor(expected["x"]))[0]
    scale = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(outputs["logits"], expected["logits"], **scale)
    for level in (1, 2):
        np.testing.assert_allclose(outputs["level_logits"][level - 1], expected[f"logits_{level}"], **scale)
        # Similarities of 128 float32 channels reach hundreds, and the softmax keeps their absolute error: the
        # reference is 2.5e-5 from the same sum in float64, ours 1.1e-5.
        propagated = outputs["level_logits_prop"][level - 1]
        np.testing.assert_allclose(propagated, expected[f"logits_prop_{level}"], rtol=1e-5, atol=6e-5)
    np.testing.assert_allclose(feature.mean(dim=(2, 3)), expected["feature_1_mean"], rtol=1e-5, atol=1e-5)


def test_output_contract_in_training_and_evaluation():
    model, x = small(3), torch.randn(2, 3, 32, 24)
    training, evaluation = model.train()(x), model.eval()(x)
    assert set(training) == {"logits", "level_logits", "level_logits_prop"}
    assert set(evaluation) == {"logits", "level_logits"}
    assert training["logits"].shape == (2, 1, 32, 24)
    assert training["level_logits"].shape == training["level_logits_prop"].shape == (3, 2, 1, 32, 24)
    torch.testing.assert_close(evaluation["logits"], evaluation["level_logits"].mean(0))


@pytest.mark.parametrize("settings", [{"cons_mode": "pure"}, {"num_levels": 1}])
def test_nothing_is_propagated_where_nobody_asks(settings):
    outputs = small(**settings).train()(torch.randn(1, 3, 32, 32))
    assert "level_logits_prop" not in outputs


def test_levels_start_as_copies_or_independent():
    copies, independent = small(3), small(3, init="independent")
    first, last = (level.state_dict() for level in (copies.model[0], copies.model[2]))
    assert all(torch.equal(first[key], last[key]) for key in first)
    key = "encoder.conv_0.conv_0.conv.weight"
    assert not torch.equal(independent.model[0].state_dict()[key], independent.model[2].state_dict()[key])
    assert copies.model[0].classifier.weight.data_ptr() != copies.model[2].classifier.weight.data_ptr()


def test_every_parameter_but_the_released_head_gets_a_gradient():
    model = small()
    outputs = model.train()(torch.randn(1, 3, 32, 32))
    (outputs["level_logits"].sum() + outputs["level_logits_prop"].sum()).backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    assert without == {n for n, p in model.named_parameters() if not p.requires_grad}
    assert without == {n for n in model.state_dict() if ".head." in n}


def test_smp_unet_keeps_the_contract_at_any_size():
    model = build_model("smp-unet", in_channels=1, num_levels=2, features=SMALL, encoder="resnet18")
    outputs = model.train()(torch.randn(2, 1, 40, 50))
    assert outputs["level_logits_prop"].shape == (2, 2, 1, 40, 50)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cons_mode": "both"}, "expected one of prop, pure, found 'both'"),
        ({"init": "zeros"}, "expected one of copy, independent"),
        ({"num_levels": 0}, "expected 1 or more, found 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings)
