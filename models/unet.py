"""One level of the released model: BasicUNet, classifier, and the head that nothing uses."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from models.basic_unet import BasicUNet
from models.level import Level

RELEASED_FEATURES = (64, 128, 256, 512, 1024, 128)


class LevelUNet(Level):
    """U-Net of one level: image (B,C,H,W) -> feature (B,feat_dim,H,W) and logits (B,1,H,W).

    ``head`` exists only because released checkpoints carry it. It takes part in nothing, so it is frozen:
    a parameter that never gets a gradient would stop distributed training.
    """

    takes_all_images = True

    def __init__(self, in_channels: int, features: Sequence[int], feat_dim: int | None = None):
        super().__init__()
        feat_dim = feat_dim or features[-1]
        self.in_channels = in_channels
        self.encoder = BasicUNet(in_channels, feat_dim, features)
        self.head = nn.Sequential(nn.Conv2d(feat_dim, feat_dim, 1), nn.ReLU(), nn.Conv2d(feat_dim, feat_dim, 1))
        self.head.requires_grad_(False)
        self.classifier = nn.Conv2d(feat_dim, 1, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        feature = self.encoder(x)
        return feature, self.classifier(feature)


def infer_unet_architecture(state_dict: Mapping[str, Tensor]) -> dict | None:
    """Read the arguments of ``build_model("unet", ...)`` from the shapes of a state dict.

    Returns:
        ``in_channels``, ``num_levels``, ``features`` and ``feat_dim``; None if these are not the weights of
        a multi-level BasicUNet.
    """
    levels = {int(m[1]) for key in state_dict if (m := re.match(r"model\.(\d{1,4})\.", key))}
    layers = [f"{part}.conv_1.conv.weight" for part in ("conv_0", *(f"down_{i}.convs" for i in (1, 2, 3, 4)))]
    layers.append("upcat_1.convs.conv_1.conv.weight")
    needed = [f"model.0.encoder.{name}" for name in (*layers, "conv_0.conv_0.conv.weight", "final_conv.weight")]
    if levels != set(range(len(levels))) or any(key not in state_dict or state_dict[key].ndim != 4 for key in needed):
        return None
    return {
        "in_channels": state_dict[needed[-2]].shape[1],
        "num_levels": len(levels),
        "features": tuple(state_dict[key].shape[0] for key in needed[:-2]),
        "feat_dim": state_dict[needed[-1]].shape[0],
    }
