import numpy as np
import pytest
import torch

from models import build_from_weights, build_model
from models.multi_level import ENSEMBLES, MultiLevelModel

SMALL = (4, 8, 8, 16, 16, 4)
CONFIG = {"name": "unet", "in_channels": 3, "num_levels": 2, "features": SMALL}


def small(num_levels=2, **settings):
    return build_model("unet", in_channels=3, num_levels=num_levels, features=SMALL, **settings)


@pytest.mark.parametrize(("data", "channels"), [("kvasir", 3), ("prostate", 1)])
def test_golden_logits(golden, seeded_weights, data, channels):
    expected = np.load(golden / f"model_{data}.npz")
    model = build_model("unet", in_channels=channels, num_levels=2)
    seeded_weights(model)
    x = torch.tensor(expected["x"])
    # GroupNorm knows no modes, so training mode gives the same logits, and the propagated ones too. In float64 what is
    # left is the reference's own rounding; in float32 processors differ by as much again.
    with torch.no_grad():
        in_float32 = model.train()(x)["logits"]
        outputs = model.double()(x.double())
        feature = model.model[0](x.double())[0]
    scale = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(outputs["logits"], expected["logits"], **scale)
    np.testing.assert_allclose(in_float32, expected["logits"], rtol=1e-5, atol=5e-5)
    for level in (1, 2):
        np.testing.assert_allclose(outputs["level_logits"][level - 1], expected[f"logits_{level}"], **scale)
        # Similarities of 128 float32 channels reach hundreds, and the softmax keeps their absolute error.
        propagated = outputs["level_logits_prop"][level - 1]
        np.testing.assert_allclose(propagated, expected[f"logits_prop_{level}"], rtol=1e-5, atol=6e-5)
    np.testing.assert_allclose(feature.mean(dim=(2, 3)), expected["feature_1_mean"], **scale)


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
        ({"ensemble": "votes"}, "expected one of logits, probs, found 'votes'"),
        ({"num_levels": 0}, "expected 1 or more, found 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


@pytest.mark.parametrize(
    ("level_logits", "of_logits", "probability"),
    [
        # One level is dead: it is sure of background wherever it looks.
        ([2.0, -100.0], -49.0, sigmoid(2) / 2),
        ([2.0, 2.0, -100.0], -32.0, 2 * sigmoid(2) / 3),
        ([0.0, 0.0], 0.0, 0.5),
        ([-3.0], -3.0, sigmoid(-3)),
    ],
)
def test_what_the_levels_say_together(level_logits, of_logits, probability):
    stacked = torch.tensor(level_logits).reshape(-1, 1, 1, 1, 1)
    assert ENSEMBLES["logits"](stacked).item() == pytest.approx(of_logits)
    together = ENSEMBLES["probs"](stacked)
    assert together.shape == (1, 1, 1, 1)
    assert together.sigmoid().item() == pytest.approx(probability, rel=1e-6)


def test_a_dead_level_outvotes_two_by_logits_and_not_by_probabilities():
    two_alive, one_alive = torch.tensor([2.0, 2.0, -100.0]), torch.tensor([2.0, -100.0])
    assert [ENSEMBLES[name](two_alive).sigmoid().item() > 0.5 for name in ("logits", "probs")] == [False, True]
    # Against a single level even its probability of 0 is enough: (0.88 + 0) / 2.
    assert [ENSEMBLES[name](one_alive).sigmoid().item() > 0.5 for name in ("logits", "probs")] == [False, False]


def test_mean_probability_stays_finite_where_probabilities_round_to_0_and_1():
    sure = torch.tensor([[1000.0, 1000.0], [-1000.0, 1000.0], [-1000.0, -1000.0]]).T
    assert ENSEMBLES["probs"](sure).tolist() == [1000.0, 0.0, -1000.0]


def test_the_model_uses_the_ensemble_it_was_built_with():
    torch.manual_seed(0)
    model, x = small(init="independent", ensemble="probs").eval(), torch.randn(1, 3, 32, 32)
    outputs = model(x)
    torch.testing.assert_close(outputs["logits"].sigmoid(), outputs["level_logits"].sigmoid().mean(0))
    assert build_from_weights(model.state_dict(), CONFIG).ensemble == "logits"
    assert build_from_weights(model.state_dict(), {**CONFIG, "ensemble": "probs"}).ensemble == "probs"


def test_checkpointed_levels_give_the_same_gradients():
    model, x = small(3), torch.randn(2, 3, 32, 32)
    gradients = []
    for checkpoint_levels in (False, True):
        model.checkpoint_levels = checkpoint_levels
        model.zero_grad()
        outputs = model.train()(x)
        (outputs["level_logits"].square().sum() + outputs["level_logits_prop"].square().sum()).backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_checkpointed_levels_count_a_batch_once():
    """Batch normalisation would move its running statistics in the second computation, too."""

    class Level(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.in_channels, self.norm, self.classifier = 1, torch.nn.BatchNorm2d(1), torch.nn.Conv2d(1, 1, 1)

        def forward(self, x):
            feature = self.norm(x)
            return feature, self.classifier(feature)

    model = MultiLevelModel(Level, 1).train()
    model.checkpoint_levels = True
    statistics = model.model[0].norm.running_mean
    model(torch.full((2, 1, 4, 4), 3.0))["logits"].sum().backward()
    assert statistics.item() == pytest.approx(0.3)  # a tenth of the way
    assert model.model[0].norm.running_mean is statistics
    assert model.model[0].norm.num_batches_tracked.item() == 1


def test_compiled_levels_agree_and_evaluate_without_a_second_compilation():
    plain, compiled, x = small(), small(), torch.randn(2, 3, 32, 32)
    compiled.load_state_dict(plain.state_dict())
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    for level in compiled.model:
        level.compile(backend=backend)
    expected, found = plain.train()(x), compiled.train()(x)
    trained = len(graphs)
    assert trained >= 1
    for name in ("logits", "level_logits_prop"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(compiled.eval()(x)["logits"], plain.eval()(x)["logits"], rtol=1e-5, atol=1e-5)
    assert len(graphs) == trained
    assert compiled.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("lacks", ["in_channels", "classifier"])
def test_a_level_that_lacks_what_the_levels_together_need(lacks):
    class Level(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.in_channels, self.classifier = 1, torch.nn.Conv2d(1, 1, 1)
            delattr(self, lacks)

    with pytest.raises(ValueError, match=f"Level: expected the attributes in_channels, .* found no {lacks}"):
        MultiLevelModel(Level, 2)
