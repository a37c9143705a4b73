"""Encoders of other libraries: their names, what they leave unused, and which images they take."""

import time

import pytest
import torch
from timm.layers import convert_sync_batchnorm

from models import build_from_weights, build_model
from models.level import freeze
from models.smp_unet import encoders


@pytest.mark.parametrize(
    "name",
    [
        "resnet0",
        "tu-resnet0",
        "tu-hf-hub:timm/resnet18.a1_in1k",
        "tu-HF_HUB:timm/resnet18",
        "tu-local-dir:/tmp",
        "hf-hub:a/b",
        "/tmp",
        "https://example.org/resnet18",
        "RESNET34",
        "tu-resnet18.hf-hub:a/b",
    ],
)
def test_a_name_out_of_no_list_is_refused_before_anything_is_asked(name, monkeypatch):
    import timm

    monkeypatch.setattr(timm, "create_model", None)
    with pytest.raises(ValueError, match="--encoder .*expected a name that segmentation-models-pytorch"):
        build_model("smp-unet", in_channels=3, num_levels=1, encoder=name)


@pytest.mark.parametrize(("encoder", "weights"), [("resnet34", "imagnet"), ("tu-resnet18", "True"), ("mit_b0", "ssl")])
def test_other_weights_are_refused(encoder, weights):
    with pytest.raises(ValueError, match=rf"--encoder_weights {weights}: expected .*imagenet"):
        build_model("smp-unet", in_channels=3, num_levels=1, encoder=encoder, encoder_weights=weights)


@pytest.mark.parametrize("encoder", ["resnet34", "tu-resnet18"])
def test_weights_that_cannot_be_fetched_cost_no_minute(encoder, monkeypatch, tmp_path):
    from huggingface_hub import constants, utils

    class NoNetwork:
        def head(self, *_, **__):
            raise OSError("no route")

    monkeypatch.setattr(utils, "get_session", NoNetwork)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(ValueError, match="not in the local cache and could not be downloaded"):
        build_model("smp-unet", in_channels=3, num_levels=1, encoder=encoder, encoder_weights="imagenet")
    assert time.monotonic() - start < 30 and not constants.HF_HUB_OFFLINE


def test_the_lists_hold_what_was_always_taken():
    assert {"resnet34", "tu-resnet18", "tu-resnet18.a1_in1k", "timm-efficientnet-b0", "timm-regnetx_002"} <= set(
        encoders()
    )
    assert "timm-mobilenetv3_large_075" in encoders() and encoders()["resnet34"] == ("imagenet",)


@pytest.mark.parametrize(
    ("encoder", "unused"),
    [("efficientnet-b0", ("_conv_head", "_bn1")), ("timm-efficientnet-b0", ("conv_head", "bn2")), ("resnet18", ())],
)
def test_what_gets_no_gradient_is_frozen_on_all_levels(encoder, unused):
    model = build_model("smp-unet", in_channels=3, num_levels=2, features=(4,) * 6, encoder=encoder)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    drawn = torch.get_rng_state()
    freeze(model.model, torch.zeros(2, 3, 32, 32))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert {name.split(".")[4] for name in frozen} == set(unused)
    # What is left gets a gradient, all of it.
    model(torch.randn(2, 3, 32, 32))["logits"].sum().backward()
    assert all((p.grad is None) == (name in frozen) for name, p in model.named_parameters())


@pytest.mark.parametrize("encoder", ["resnet18", "tu-tf_efficientnet_lite0"])
def test_synchronised_batch_normalisation_is_of_the_same_weights_and_function(encoder):
    torch.manual_seed(0)
    model = build_model("smp-unet", in_channels=3, num_levels=1, features=(4,) * 6, encoder=encoder).eval()
    image = torch.randn(2, 3, 32, 32)
    before, weights = model(image)["logits"], {key: x.clone() for key, x in model.state_dict().items()}
    model = convert_sync_batchnorm(model)
    kinds = {type(layer) for layer in model.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)}
    assert kinds and all(issubclass(kind, torch.nn.SyncBatchNorm) for kind in kinds)
    assert all(torch.equal(x, weights[key]) for key, x in model.state_dict().items())
    assert torch.equal(model(image)["logits"], before)


def test_a_batch_of_one_at_a_bottleneck_of_one_pixel():
    levels = build_model("smp-unet", in_channels=3, num_levels=1, features=(4,) * 6, encoder="resnet18").model
    with pytest.raises(ValueError, match=r"takes 1 image\(s\) of 32x32 at a time.*more than 1 value.*another -bs"):
        freeze(levels, torch.zeros(1, 3, 32, 32))
    freeze(levels, torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("encoder", "frozen"),
    [
        ("resnet18", ("conv1.", "bn1.", "layer1.")),
        ("tu-tf_efficientnet_lite0", ("model.conv_stem.", "model.bn1.", "model.blocks.0.", "model.blocks.1.")),
        # Its first stage has no channels.
        ("tu-convnext_atto", ("model.stem_0.", "model.stem_1.", "model.stages_0.")),
    ],
)
def test_frozen_stages_keep_weights_and_statistics_and_no_other_does(encoder, frozen):
    torch.manual_seed(0)
    arguments = {"in_channels": 3, "num_levels": 2, "feat_dim": 4, "encoder": encoder, "frozen_stages": 2}
    model = build_model("smp-unet", **arguments)
    images = torch.randn(2, 3, 64, 64)
    freeze(model.model, images)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.eval().train()
    model(images)["level_logits"].square().sum().backward()
    optimizer.step()
    same = {key for key, value in model.state_dict().items() if torch.equal(value, before[key])}
    expected = {
        key for key in before if key.startswith(tuple(f"model.{n}.encoder.encoder.{f}" for n in (0, 1) for f in frozen))
    }
    assert same == expected


def test_frozen_layers_stay_so_where_batch_normalisation_is_synchronised():
    arguments = {"in_channels": 3, "num_levels": 1, "feat_dim": 4, "encoder": "resnet18", "frozen_stages": 1}
    model = build_model("smp-unet", **arguments)
    # Of a side that is no multiple of 32.
    freeze(model.model, torch.randn(2, 3, 40, 40))
    encoder = convert_sync_batchnorm(model).train().model[0].encoder.encoder
    assert not encoder.bn1.training and encoder.layer1[0].bn1.training


@pytest.mark.parametrize(("stages", "side"), [(5, 64), (4, 32), (3, 16), (1, 4)])
def test_fewer_stages_of_the_decoder_end_at_a_smaller_size_which_is_resized(stages, side):
    torch.manual_seed(0)
    arguments = {"in_channels": 3, "num_levels": 1, "feat_dim": 4, "encoder": "resnet18"}
    arguments["decoder_channels"] = (16, 8, 8, 8, 8)[:stages]
    model = build_model("smp-unet", **arguments).eval()
    level, image = model.model[0], torch.randn(1, 3, 64, 64)
    small = level.encoder(image)
    assert small.shape == (1, 4, side, side)
    feature, logits = level(image)
    resized = torch.nn.functional.interpolate(small, size=(64, 64), mode="bilinear")
    torch.testing.assert_close(feature, resized)
    torch.testing.assert_close(logits, level.classifier(resized))
    # Padded to a multiple of 32, and cut.
    assert model(torch.randn(1, 3, 33, 47))["logits"].shape == (1, 1, 33, 47)
    again = build_from_weights(model.state_dict(), {"name": "smp-unet", **arguments}).eval()
    assert torch.equal(again(image)["logits"], model(image)["logits"])


def test_weights_of_another_network_need_no_memory_for_what_is_claimed():
    weights = build_model("unet", in_channels=3, num_levels=2, features=(4,) * 6).state_dict()
    claims = {"name": "unet", "in_channels": 3, "num_levels": 2, "features": (60_000,) * 6}
    for config in (claims, claims | {"features": (4,) * 6, "num_levels": 1000}):
        with pytest.raises(ValueError, match="checkpoint of another architecture"):
            build_from_weights(weights, config)
    for config in (claims | {"name": "smp-unet"}, claims | {"name": "smp-unet", "features": (4,) * 6}):
        with pytest.raises(ValueError, match="checkpoint of another architecture"):
            build_from_weights(weights, config)


def test_whole_numbers_in_place_of_weights():
    weights = build_model("unet", in_channels=3, num_levels=1, features=(4,) * 6).state_dict()
    weights["model.0.classifier.weight"] = weights["model.0.classifier.weight"].long()
    with pytest.raises(ValueError, match=r"1 of another type \(first: model\.0\.classifier\.weight torch\.int64"):
        build_from_weights(weights)
