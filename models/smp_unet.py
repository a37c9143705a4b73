"""Level network on a U-Net of segmentation-models-pytorch (smp)."""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.graph_export import crop_or_replicate_pad, is_tracing
from models.level import INPUTS, Level
from models.pretrained import PACKAGES, encoder_input, is_local, load_encoder_weights
from utils.images import IMAGENET_MEAN, IMAGENET_STD
from utils.settings import number, numbers, setting

STAGES = 5  # smp's encoders halve the resolution as often
SIZE_MULTIPLE = 2**STAGES


class SmpLevelUNet(Level):
    """smp U-Net of one level: image (B,C,H,W) -> feature (B,feat_dim,H,W) and logits (B,1,H,W).

    Images whose sides are not multiples of 32 are padded at the right and bottom by repeating the border,
    and the feature is cropped back.

    Args:
        in_channels: image channels.
        feat_dim: channels of the full-resolution feature.
        encoder: a key of ``encoders()``, for example ``resnet34``.
        encoder_weights: ``imagenet`` (downloaded by smp from its hub if not in the local cache), a file or package as
            ``models.pretrained`` takes it, or None.
        decoder_channels: of the stages of the decoder, from the smallest resolution on. Five end at the image's own
            resolution, four at half of it, and so on; what they end at is then resized to the image's, bilinearly.
        frozen_stages: of the encoder, from the image on, each of half the resolution of the one before, in 0..5.
        encoder_input: the normalisation that the weights expect; images come normalised by ImageNet's statistics.

    Raises:
        ValueError: for an encoder or weights that smp does not offer, or cannot fetch.
    """

    # Some encoders read values of tensors while they are built.
    builds_on_meta = False
    pretrained_settings = ("encoder_weights",)

    @dataclass(frozen=True)
    class Settings:
        encoder: str = setting("resnet34", "encoder of the smp-unet")
        encoder_weights: str | None = setting(
            None,
            f"of the encoder: a .pth or .safetensors file; package:NAME, as {', '.join(PACKAGES)}, from an installed "
            "package; or imagenet, which is downloaded if not cached (default: from scratch)",
        )
        decoder_channels: tuple[int, ...] = setting(
            (256, 128, 64, 32, 16),  # smp's own
            "of the smp-unet, from the smallest resolution on (default: 256,128,64,32,16); with one less "
            "it ends at half the image's resolution, and is resized",
            numbers(number(int, 1, 2**16), most=STAGES),
            metavar="C,C,...",
        )
        frozen_stages: int = setting(
            0,
            "stages of the smp-unet's encoder, from the image on, that stay as they are: less time and memory a step",
            number(int, 0, STAGES),
            metavar="N",
        )

    def __init__(
        self,
        in_channels: int,
        feat_dim: int,
        encoder: str,
        encoder_weights: str | None,
        decoder_channels: Sequence[int],
        frozen_stages: int,
        encoder_input: str = INPUTS[0],
    ):
        super().__init__()
        self.in_channels = in_channels
        self.frozen_stages = frozen_stages
        self.full_resolution = len(decoder_channels) == STAGES
        hub_weights = None if is_local(encoder_weights) else encoder_weights
        self.encoder = _build_smp_unet(in_channels, feat_dim, encoder, hub_weights, tuple(decoder_channels))
        if is_local(encoder_weights):
            load_encoder_weights(self.encoder.encoder, encoder, encoder_weights)
        self.classifier = nn.Conv2d(feat_dim, 1, kernel_size=1)
        scale = shift = None
        if encoder_input != INPUTS[0]:
            mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
            scale, shift = std * 255 / 128, (mean * 255 - 127) / 128
        # Not saved with the weights: the setting is.
        self.register_buffer("input_scale", scale, persistent=False)
        self.register_buffer("input_shift", shift, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.input_scale is not None:
            x = x * self.input_scale + self.input_shift
        height, width = x.shape[-2:]
        padded = _padded(x)
        feature = self.encoder(padded)
        # Classifying before resizing gives the same, as both are linear, and is faster.
        outputs = feature, self.classifier(feature)
        if not self.full_resolution:
            outputs = (F.interpolate(output, size=padded.shape[-2:], mode="bilinear") for output in outputs)
        feature, logits = (output[..., :height, :width] for output in outputs)
        return feature, logits

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any], *, starts_from_checkpoint: bool) -> None:
        if settings["frozen_stages"] and not (settings["encoder_weights"] or starts_from_checkpoint):
            raise ValueError(
                "--frozen_stages: expected --encoder_weights, as stages of random weights would stay so, found none"
            )

    @classmethod
    def encoder_input(cls, settings: Mapping[str, Any], normalisation: str) -> str:
        return encoder_input(settings["encoder"], settings["encoder_weights"], normalisation)

    def frozen_features(self, images: Tensor) -> Sequence[Tensor]:
        """Features of the first stages of the encoder, which take much of a step's time as they are the largest."""
        return self.encoder.encoder(_padded(images))[1 : self.frozen_stages + 1]


def _padded(x: Tensor) -> Tensor:
    """(B,C,H,W) with the border repeated at the right and bottom, up to multiples of ``SIZE_MULTIPLE``."""
    height, width = x.shape[-2:]
    pad = (0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE)
    if is_tracing():
        return crop_or_replicate_pad(x, height + pad[3], width + pad[1])
    return F.pad(x, pad, mode="replicate")


def _build_smp_unet(
    in_channels: int, feat_dim: int, encoder: str, encoder_weights: str | None, decoder_channels: tuple[int, ...]
) -> nn.Module:
    # Imported here: it takes seconds, and the default network does not need it.
    import segmentation_models_pytorch as smp

    known = encoders()
    if encoder not in known or encoder_weights not in (None, *known[encoder]):
        close = difflib.get_close_matches(encoder, known, 5, 0.7) if encoder not in known else known[encoder]
        what = f"--encoder {encoder[:80]}" if encoder not in known else f"--encoder_weights {encoder_weights}"
        raise ValueError(
            f"{what}: expected a name that segmentation-models-pytorch {smp.__version__} knows "
            f"({', '.join(close) or 'none is like it'}); see https://smp.readthedocs.io/en/latest/encoders.html"
        )
    left_out = STAGES - len(decoder_channels)
    with contextlib.nullcontext() if encoder_weights is None else _no_retries():
        try:
            network = smp.Unet(
                encoder,
                # timm's encoders have one set of weights, which smp takes as True.
                encoder_weights=True if encoder_weights and encoder not in smp.encoders.encoders else encoder_weights,
                decoder_channels=decoder_channels + decoder_channels[-1:] * left_out,
                in_channels=in_channels,
                classes=feat_dim,
            )
        except OSError as error:
            raise ValueError(
                f"--encoder_weights {encoder_weights}: the weights of {encoder} are not in the local cache and could "
                "not be downloaded; connect once, or leave the option out to train from scratch"
            ) from error
        except Exception as error:  # of hundreds of networks, each with its own reasons
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(
                f"--encoder {encoder}: expected an encoder that smp.Unet takes, found none ({reason}); choose another"
            ) from error
    # The head fits, as the stages left out have the channels of the last one that is kept.
    network.decoder.blocks = network.decoder.blocks[: len(decoder_channels)]
    return network


@functools.cache
def encoders() -> dict[str, tuple[str, ...]]:
    """The names of all encoders, each with the names of its pretrained weights.

    They are smp's own and, as ``tu-<name>`` with or without a tag of weights, those of the installed timm: both are
    fixed lists, as timm alone would also take the address of a server or of a folder with code.
    """
    import timm
    from segmentation_models_pytorch.encoders import encoders as own

    pretrained = set(timm.list_pretrained())
    networks = {*timm.list_models(), *pretrained}
    trained = {name.split(".")[0] for name in pretrained}
    known = {f"tu-{name}": ("imagenet",) if name.split(".")[0] in trained else () for name in networks}
    # Their names in earlier versions of smp, which replaces them.
    known |= {
        f"timm-{name.removeprefix('tu-').removeprefix('tf_')}": weights
        for name, weights in known.items()
        if name.startswith(("tu-regnet", "tu-res2", "tu-resnest", "tu-gernet", "tu-tf_mobilenetv3"))
    }
    return known | {name: tuple(entry["pretrained_settings"]) for name, entry in own.items()}


@contextlib.contextmanager
def _no_retries() -> Iterator[None]:
    """Offline mode of the hub's library where the hub does not answer: its cache is used at once, without retries."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    before = constants.HF_HUB_OFFLINE
    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except Exception:  # the types are those of another library, and change
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
