"""The 2-D U-Net of the released checkpoints, with their parameter names (those of MONAI's BasicUNet)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.graph_export import crop_or_replicate_pad, is_tracing

NORM_GROUPS = 4
NEGATIVE_SLOPE = 0.1


class ConvNormAct(nn.Module):
    """3x3 convolution, GroupNorm of 4 groups, LeakyReLU 0.1: (B,Cin,H,W) -> (B,Cout,H,W)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        # "adn.N" is the released name of the normalisation.
        self.adn = nn.ModuleDict({"N": nn.GroupNorm(NORM_GROUPS, out_channels)})

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.adn["N"](self.conv(x)), NEGATIVE_SLOPE, inplace=True)


class TwoConv(nn.Sequential):
    """Two ConvNormAct blocks, the first of which changes the number of channels."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.add_module("conv_0", ConvNormAct(in_channels, out_channels))
        self.add_module("conv_1", ConvNormAct(out_channels, out_channels))


class Down(nn.Module):
    """Max pooling by 2, then TwoConv: (B,Cin,H,W) -> (B,Cout,H//2,W//2)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.convs = TwoConv(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if is_tracing():
            # Pooling drops the last row or column of an odd size anyway; torch.export takes a branch by it.
            x = crop_or_replicate_pad(x, x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2)
        return self.convs(F.max_pool2d(x, 2))


class UpCat(nn.Module):
    """Transposed convolution by 2, concatenation behind the skip connection, then TwoConv."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, *, halve: bool):
        super().__init__()
        up_channels = in_channels // 2 if halve else in_channels
        deconv = nn.ConvTranspose2d(in_channels, up_channels, kernel_size=2, stride=2)
        self.upsample = nn.ModuleDict({"deconv": deconv})
        self.convs = TwoConv(skip_channels + up_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.upsample["deconv"](x)
        # Pooling drops the last row or column of an odd size; repeating the border restores it.
        height, width = skip.shape[-2:]
        if is_tracing():
            return self.convs(torch.cat([skip, crop_or_replicate_pad(x, height, width)], dim=1))
        # At most one each. F.pad has no deterministic gradient on CUDA.
        if height > x.shape[-2]:
            x = torch.cat([x, x[..., -1:, :]], dim=-2)
        if width > x.shape[-1]:
            x = torch.cat([x, x[..., -1:]], dim=-1)
        return self.convs(torch.cat([skip, x], dim=1))


class BasicUNet(nn.Module):
    """U-Net from an image to a full-resolution feature map.

    Args:
        in_channels: image channels.
        out_channels: channels of the feature map.
        features: channels of the five resolutions (finest first) and of the last decoder stage, each a
            multiple of 4.

    ``forward`` maps (B,in_channels,H,W) to (B,out_channels,H,W); H and W are at least 16.

    Raises:
        ValueError: for features that are not six multiples of 4.
    """

    def __init__(self, in_channels: int, out_channels: int, features: Sequence[int]):
        super().__init__()
        if len(features) != 6 or any(f <= 0 or f % NORM_GROUPS for f in features):
            raise ValueError(
                f"features: expected six positive multiples of {NORM_GROUPS} (GroupNorm), "
                f"found {','.join(map(str, features))}; the released recipe has 64,128,256,512,1024,128"
            )
        f0, f1, f2, f3, f4, last = features
        self.conv_0 = TwoConv(in_channels, f0)
        self.down_1 = Down(f0, f1)
        self.down_2 = Down(f1, f2)
        self.down_3 = Down(f2, f3)
        self.down_4 = Down(f3, f4)
        self.upcat_4 = UpCat(f4, f3, f3, halve=True)
        self.upcat_3 = UpCat(f3, f2, f2, halve=True)
        self.upcat_2 = UpCat(f2, f1, f1, halve=True)
        self.upcat_1 = UpCat(f1, f0, last, halve=False)
        self.final_conv = nn.Conv2d(last, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        x0 = self.conv_0(x)
        x1 = self.down_1(x0)
        x2 = self.down_2(x1)
        x3 = self.down_3(x2)
        x = self.down_4(x3)
        x = self.upcat_4(x, x3)
        x = self.upcat_3(x, x2)
        x = self.upcat_2(x, x1)
        x = self.upcat_1(x, x0)
        return self.final_conv(x)
