"""Joint transforms: what a pixel array is decides what may happen to it.

Spatial transforms touch the image and all its maps, intensity transforms the image alone.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from utils.images import IMAGENET_MEAN, IMAGENET_STD


def drawn_flips(rng: np.random.Generator, probability: float) -> list[int]:
    """The axes along which to flip, width and height: each with ``probability``, in 0..1, independently."""
    horizontal, vertical = rng.random(2) < probability
    return [-1] * bool(horizontal) + [-2] * bool(vertical)


def resize_smooth(x: Tensor, size: int, *, antialias: bool = False) -> Tensor:
    """Bilinear: images and gaze maps, (C,H,W) -> (C,size,size).

    Args:
        x: the array.
        size: of both sides.
        antialias: average over all pixels that become one. Without it (as released) a pixel is made of four, and fine
            structure of an image that shrinks much turns into noise.
    """
    return F.interpolate(x[None], size=(size, size), mode="bilinear", align_corners=False, antialias=antialias)[0]


def resize_labels(x: Tensor, size: int) -> Tensor:
    """Nearest neighbour: masks and ignored pixels, (C,H,W) -> (C,size,size), no new values."""
    return F.interpolate(x[None], size=(size, size), mode="nearest")[0]


def zscore(image: np.ndarray) -> Tensor:
    """Float (H,W,C) -> (C,H,W) of mean 0 and standard deviation 1 over the slice; a constant slice gives 0.

    What is masked, as the padding of DICOM, has no part in mean and deviation.
    """
    values = np.array(image.transpose(2, 0, 1), np.float64, order="C")
    inside = values if np.ma.getmask(image) is np.ma.nomask else values[~image.mask.transpose(2, 0, 1)]
    # In NumPy: torch's sums depend on the number of threads, and that on where an image is loaded.
    mean, deviation = inside.mean(), inside.std() if np.ptp(inside) else 1.0
    # In place: a large image takes gigabytes.
    values -= mean
    values /= deviation
    return torch.from_numpy(values).float()


def preprocess(image: np.ndarray, normalisation: str, size: int, *, antialias: bool = False) -> Tensor:
    """An image as read, (H,W,C) uint8 or float32 -> the network's input (C,size,size), float32, normalised.

    Args:
        image: as ``datasets.io.read_image`` gives it.
        normalisation: ``imagenet``, centred and scaled by ImageNet's statistics of each channel, or ``zscore``.
        size: of both sides, pixels.
        antialias: see ``resize_smooth``.
    """
    if normalisation == "zscore":
        return resize_smooth(zscore(image), size, antialias=antialias)
    pixels = torch.from_numpy(np.asarray(image)).permute(2, 0, 1).float().div_(255)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (resize_smooth(pixels, size, antialias=antialias) - mean) / std
