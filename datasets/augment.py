"""Random affine and photometric augmentation beyond flips: one draw for an image and its maps alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

# Factors are log-uniform within these ranges, angles and shifts uniform.
MAX_ANGLE_DEG, LOG_SCALE, MAX_SHIFT = 25.0, (-0.25, 0.3), 0.1
LOG_GAIN, LOG_COLOUR_GAIN, LOG_CONTRAST = 0.25, 0.12, 0.25
BLUR_PROBABILITY, BLUR_SIGMA_PX = 0.25, (0.3, 1.2)


@dataclass(frozen=True)
class RandomTransform:
    """A drawn augmentation: affine warp, gains, contrast, blur.

    OpenCV's warp, as torch's and torchvision's take twice the time or more (``benchmarks/augment.md``).

    Attributes:
        matrix: (2,3) float64, from places in the input to places in the output, in pixels.
        gains: (C,) float32, factors of the channels.
        contrast: factor around each channel's mean.
        blur_px: standard deviation of a Gaussian; 0 for none.
    """

    matrix: np.ndarray
    gains: np.ndarray
    contrast: float
    blur_px: float

    @classmethod
    def draw(cls, rng: np.random.Generator, size: int, channels: int) -> RandomTransform:
        """Quarter turns and smaller ones, scale, shift, brightness, colour, contrast, blur."""
        angle = np.deg2rad(90 * rng.integers(4) + rng.uniform(-MAX_ANGLE_DEG, MAX_ANGLE_DEG))
        scale, shift = np.exp(rng.uniform(*LOG_SCALE)), rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * size
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.full(2, (size - 1) / 2)
        gain = rng.uniform(-LOG_GAIN, LOG_GAIN) + rng.uniform(-LOG_COLOUR_GAIN, LOG_COLOUR_GAIN, channels)
        contrast = float(np.exp(rng.uniform(-LOG_CONTRAST, LOG_CONTRAST)))
        blurred, sigma = rng.random() < BLUR_PROBABILITY, rng.uniform(*BLUR_SIGMA_PX)
        matrix = np.column_stack([turn, centre + shift - turn @ centre])
        return cls(matrix, np.exp(gain).astype(np.float32), contrast, sigma * blurred)

    def moved(self, x: Tensor) -> Tensor:
        """Affine warp, (C,H,W) float32 -> the same size; beyond the border the image is mirrored."""
        size = x.shape[-2:][::-1]
        flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REFLECT_101}
        return torch.from_numpy(
            np.stack([cv2.warpAffine(channel, self.matrix, size, **flags) for channel in x.numpy()])
        )

    def apply_to_image(self, x: Tensor) -> Tensor:
        """Warp and photometric changes of a normalised image, (C,H,W) float32; its least value is taken as black."""
        moved = self.moved(x).numpy()
        black = moved.min(axis=(1, 2), keepdims=True)
        lit = (moved - black) * self.gains[:, None, None] + black
        mean = lit.mean(axis=(1, 2), keepdims=True)
        changed = (lit - mean) * self.contrast + mean
        if self.blur_px:
            changed = np.stack([cv2.GaussianBlur(channel, (0, 0), self.blur_px) for channel in changed])
        return torch.from_numpy(changed.astype(np.float32))

    def apply_to_mask(self, x: Tensor) -> Tensor:
        """Warp of masks, (C,H,W) float32 in {0,1}; a pixel is 1 where half of it or more was."""
        return (self.moved(x) >= 0.5).float()


AUGMENTATIONS = {"flips": None, "full": RandomTransform}
