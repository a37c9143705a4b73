"""A heatmap refined by a fully-connected CRF, so that it follows the edges of the image."""

from __future__ import annotations

import numpy as np

PROBABILITY_FLOOR = 1e-5


def refine_with_crf(
    image: np.ndarray,
    heatmap: np.ndarray,
    *,
    compat: float = 1,
    iterations: int = 10,
    sxy: float = 80,
    srgb: float = 13,
) -> np.ndarray:
    """Foreground probability after mean-field inference in a two-class dense CRF.

    The unary term is -log of [1-h, h]; the one pairwise term is bilateral with a Potts compatibility.

    Args:
        image: (H,W,3) uint8.
        heatmap: (H,W) in 0..1.
        compat: weight of the Potts term.
        iterations: of mean field.
        sxy: standard deviation in pixels of position.
        srgb: standard deviation in grey values of each colour.

    Returns:
        (H,W) float32 in 0..1.

    Raises:
        ValueError: if image and heatmap do not fit.

    Source: Kraehenbuehl and Koltun, NIPS 2011, in the implementation of the package pydensecrf2.
    """
    # A compiled extension that training and evaluation do not need.
    from pydensecrf.densecrf import DenseCRF2D

    height, width = heatmap.shape
    if image.shape != (height, width, 3) or image.dtype != np.uint8:
        raise ValueError(
            f"crf: expected an RGB image of the heatmap's size, ({height}, {width}, 3) uint8, "
            f"found {image.shape} {image.dtype}"
        )
    foreground = heatmap.astype(np.float32)
    probability = np.stack([1 - foreground, foreground]).reshape(2, -1)
    unary = -np.log(probability.clip(PROBABILITY_FLOOR, 1))
    crf = DenseCRF2D(width, height, 2)
    crf.setUnaryEnergy(np.ascontiguousarray(unary, dtype=np.float32))
    crf.addPairwiseBilateral(sxy=(sxy, sxy), srgb=(srgb, srgb, srgb), rgbim=np.ascontiguousarray(image), compat=compat)
    return np.array(crf.inference(iterations), dtype=np.float32).reshape(2, height, width)[1]


def crf_image(image: np.ndarray) -> np.ndarray:
    """The RGB image that the CRF sees: 8-bit colour as it is; any other (H,W,C) scaled to 0..255, one channel repeated.

    A constant image becomes black.
    """
    if image.shape[-1] == 3 and image.dtype == np.uint8:
        return image
    values = image.astype(np.float64)
    span = values.max() - values.min()
    scaled = (values - values.min()) / (span or 1) * 255
    return np.repeat(scaled.astype(np.uint8), 3 // image.shape[-1], axis=-1)
