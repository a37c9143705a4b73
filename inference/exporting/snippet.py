"""A program for the model card that runs the file with NumPy and Pillow, and nothing of this project."""

from __future__ import annotations

from datasets.transforms import IMAGENET_MEAN, IMAGENET_STD
from inference.exporting.formats import Format
from inference.predictor import Predictor

# "F" and "I" are grey of more than 8 bits, which Pillow clips in every conversion.
READ = """\
photo = Image.open(picture)  # DICOM: Image.fromarray(pydicom.dcmread(picture).pixel_array), see the preprocessing
photo = photo if photo.mode[0] in "FI" else photo.convert("{mode}")
pixels = np.atleast_3d(np.asarray(photo, np.float64)).transpose(2, 0, 1)
pixels = np.repeat(pixels, {channels} // len(pixels), 0)"""
NORMALISE = {
    "imagenet": """\
mean, std = np.reshape({mean}, (3, 1, 1)), np.reshape({std}, (3, 1, 1))
image = (resized(pixels / 255, {size}) - mean) / std""",
    "zscore": "image = resized((pixels - pixels.mean()) / max(pixels.std(), 1e-8), {size})",
}
PROGRAM = '''\
import sys

import numpy as np
{importing}
from PIL import Image


def resized(x, size):
    """(..., H, W) to (..., *size): bilinear between pixel centres, without anti-aliasing (Pillow's has it)."""
    for axis, length in zip((-2, -1), size):
        last = x.shape[axis] - 1
        at = ((np.arange(length) + 0.5) * x.shape[axis] / length - 0.5).clip(0, last)
        low = at.astype(int)
        share = (at - low).reshape((-1, 1) if axis == -2 else -1)
        x = np.take(x, low, axis) * (1 - share) + np.take(x, (low + 1).clip(max=last), axis) * share
    return x


model, picture, mask = sys.argv[1:]
{loading}
{reading}
{normalising}
batch = image[None].astype(np.float32)
{running}
probability = 1 / (1 + np.exp(-resized(logits[0, 0].astype(np.float64), pixels.shape[1:])))
Image.fromarray(np.uint8(255 * (probability > 0.5))).save(mask)
'''


def usage(predictor: Predictor, format_: Format) -> str:
    """Python that takes the file, a picture, and a name for the mask on its command line."""
    size = (predictor.spatial_size, predictor.spatial_size)
    importing, loading, running = format_.usage
    return PROGRAM.format(
        importing=importing,
        loading=loading,
        reading=READ.format(mode="RGB" if predictor.channels == 3 else "L", channels=predictor.channels),
        normalising=NORMALISE[predictor.normalisation].format(size=size, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        running=running,
    )
