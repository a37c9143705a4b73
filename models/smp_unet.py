"""One level on a segmentation-models-pytorch U-Net, behind the interface of ``LevelUNet``."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.recording import is_recording, resized_at_border

SIZE_MULTIPLE = 32  # smp's encoders halve the resolution five times


class SmpLevelUNet(nn.Module):
    """smp U-Net of one level: image (B,C,H,W) -> feature (B,feat_dim,H,W) and logits (B,1,H,W).

    Images whose sides are not multiples of 32 are padded at the right and bottom by repeating the border,
    and the feature is cropped back.

    Args:
        in_channels: image channels.
        feat_dim: channels of the full-resolution feature.
        encoder: a name that ``segmentation_models_pytorch`` knows, for example ``resnet34``.
        encoder_weights: ``imagenet`` (downloaded by smp from its hub if not in the local cache) or None.

    Raises:
        ValueError: for an encoder or weights that smp does not offer, or cannot fetch.
    """

    def __init__(self, in_channels: int, feat_dim: int, encoder: str, encoder_weights: str | None):
        super().__init__()
        self.encoder = _build_smp_unet(in_channels, feat_dim, encoder, encoder_weights)
        self.classifier = nn.Conv2d(feat_dim, 1, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        height, width = x.shape[-2:]
        pad = (0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE)
        if is_recording():
            padded = resized_at_border(x, height + pad[3], width + pad[1])
        else:
            padded = F.pad(x, pad, mode="replicate")
        feature = self.encoder(padded)[..., :height, :width]
        return feature, self.classifier(feature)


def _build_smp_unet(in_channels: int, feat_dim: int, encoder: str, encoder_weights: str | None) -> nn.Module:
    # Imported here: it takes seconds, and the default network does not need it.
    import segmentation_models_pytorch as smp

    try:
        return smp.Unet(encoder, encoder_weights=encoder_weights, in_channels=in_channels, classes=feat_dim)
    except KeyError as error:
        raise ValueError(
            f"--encoder {encoder} --encoder_weights {encoder_weights}: expected names that "
            f"segmentation-models-pytorch {smp.__version__} knows ({str(error).strip(chr(34))}); "
            "see https://smp.readthedocs.io/en/latest/encoders.html"
        ) from error
    except OSError as error:
        raise ValueError(
            f"--encoder_weights {encoder_weights}: the weights of {encoder} are not in the local cache and could "
            "not be downloaded; connect once, or leave the option out to train from scratch"
        ) from error
