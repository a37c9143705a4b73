"""One level on a segmentation-models-pytorch U-Net, behind the interface of ``LevelUNet``."""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Iterable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.graph_export import crop_or_replicate_pad, is_tracing
from models.multi_level import frozen_batch_statistics
from models.pretrained import INPUTS, is_local, load_encoder_weights
from utils.images import IMAGENET_MEAN, IMAGENET_STD

DEFAULT_ENCODER = "resnet34"
STAGES = 5  # smp's encoders halve the resolution as often
SIZE_MULTIPLE = 2**STAGES
DECODER_CHANNELS = (256, 128, 64, 32, 16)  # smp's own


class SmpLevelUNet(nn.Module):
    """smp U-Net of one level: image (B,C,H,W) -> feature (B,feat_dim,H,W) and logits (B,1,H,W).

    Images whose sides are not multiples of 32 are padded at the right and bottom by repeating the border,
    and the feature is cropped back.

    Args:
        in_channels: image channels.
        feat_dim: channels of the full-resolution feature.
        encoder: a key of ``encoders()``, for example ``resnet34``.
        encoder_weights: ``imagenet`` (downloaded by smp from its hub if not in the local cache), a file or package as
            ``models.pretrained`` takes it, or None.
        encoder_input: what the weights were made for; images come normalised by ImageNet's statistics.
        decoder_channels: of the stages of the decoder, from the smallest resolution on. Five end at the image's own
            resolution, four at half of it, and so on; what they end at is then resized to the image's, bilinearly.

    Raises:
        ValueError: for an encoder or weights that smp does not offer, or cannot fetch.
    """

    def __init__(
        self,
        in_channels: int,
        feat_dim: int,
        encoder: str = DEFAULT_ENCODER,
        encoder_weights: str | None = None,
        encoder_input: str = INPUTS[0],
        decoder_channels: Sequence[int] = DECODER_CHANNELS,
    ):
        super().__init__()
        self.in_channels = in_channels
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
        # Not among the weights: the setting says it.
        self.register_buffer("input_scale", scale, persistent=False)
        self.register_buffer("input_shift", shift, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.input_scale is not None:
            x = x * self.input_scale + self.input_shift
        height, width = x.shape[-2:]
        padded = _padded(x)
        feature = self.encoder(padded)
        # The classifier first, which is the same, as it is linear and resizing takes means, and faster.
        outputs = feature, self.classifier(feature)
        if not self.full_resolution:
            outputs = (F.interpolate(output, size=padded.shape[-2:], mode="bilinear") for output in outputs)
        feature, logits = (output[..., :height, :width] for output in outputs)
        return feature, logits

    def train(self, mode: bool = True) -> SmpLevelUNet:
        """As of any module, but that the statistics of layers whose weights are frozen stay as they are."""
        super().train(mode)
        for layer in self.encoder.modules():
            own = list(layer.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                layer.eval()
        return self


def _padded(x: Tensor) -> Tensor:
    """(B,C,H,W) with the border repeated at the right and bottom, up to multiples of ``SIZE_MULTIPLE``."""
    height, width = x.shape[-2:]
    pad = (0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE)
    if is_tracing():
        return crop_or_replicate_pad(x, height + pad[3], width + pad[1])
    return F.pad(x, pad, mode="replicate")


def freeze(levels: Iterable[SmpLevelUNet], images: Tensor, stages: int = 0) -> None:
    """Freeze the parameters of levels that never get a gradient, as distributed training would wait for them, and the
    first stages of the encoders, weights and statistics: as the largest, they take much of a step's time.

    Some encoders carry layers of the classifier that they were. One step of the first level finds them, and whether
    it can take such a step; its statistics and the random generators stay as they were.

    Args:
        levels: alike, on the CPU, in training mode; changed in place.
        images: (B,C,S,S), as few as there will be in a batch.
        stages: of the encoder to freeze, from the image on, each of half the resolution of the one before, in 0..5.

    Raises:
        ValueError: if the network cannot be trained on such images.
    """
    first, *_ = levels = list(levels)
    with frozen_batch_statistics(first), torch.random.fork_rng(devices=[]):
        _, logits = checked_forward(first, images)
        features = first.encoder.encoder(_padded(images))[1 : stages + 1]
    used = _parameters_of([logits], first) - _parameters_of(features, first)
    for level in levels:
        for name, parameter in level.named_parameters():
            parameter.requires_grad_(name in used)


def _parameters_of(outputs: Sequence[Tensor], network: nn.Module) -> set[str]:
    """The names of the parameters that outputs depend on, of those that train."""
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    # Some encoders have a stage without channels.
    sums = [output.sum() for output in outputs if output.requires_grad]
    gradients = torch.autograd.grad(sums, list(named.values()), allow_unused=True) if sums else [None] * len(named)
    return {name for name, gradient in zip(named, gradients, strict=True) if gradient is not None}


def checked_forward(level: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """What a level makes of images (B,C,S,S); a ValueError if they are of a size or number that it does not take."""
    try:
        return level(images)
    except Exception as error:  # of hundreds of networks, each with its own reasons
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        number, side = len(images), images.shape[-1]
        raise ValueError(
            f"--encoder: expected a network that takes {number} image(s) of {side}x{side} at a time, found one that "
            f"does not ({reason}); choose another --spatial_size or, if the last batch is the trouble, another -bs"
        ) from error


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
                # Of timm's there is one choice, and smp wants to hear no name.
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
    # The head stays, as the last stages left out have the channels of the last one that is kept.
    network.decoder.blocks = network.decoder.blocks[: len(decoder_channels)]
    return network


@functools.cache
def encoders() -> dict[str, tuple[str, ...]]:
    """The names of all encoders, each with the names of its pretrained weights.

    They are those of smp itself and, as ``tu-<name>`` with or without a tag of weights, the networks that timm is
    installed with: both are fixed lists. timm would also take the address of a server, or of a folder with code.
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
    """Where the hub of the weights does not answer, its library looks into its cache alone, and not for a minute."""
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
