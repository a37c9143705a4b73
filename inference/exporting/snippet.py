"""Program for the model card that runs the file with NumPy and Pillow, without this project."""

from inference.exporting.formats import Format
from inference.predictor import Predictor
from utils.images import IMAGENET_MEAN, IMAGENET_STD

# "F" and "I" are grey of more than 8 bits, which Pillow clips in every conversion.
READ = """\
photo = Image.open(picture)  # DICOM: Image.fromarray(pydicom.dcmread(picture).pixel_array), see the preprocessing
photo = photo if photo.mode[0] in "FI" else photo.convert("{mode}")
pixels = np.atleast_3d(np.asarray(photo, np.float64)).transpose(2, 0, 1)
pixels = np.repeat(pixels, {channels} // len(pixels), 0)"""
NORMALISE = {
    "imagenet": """\
mean, std = np.reshape({mean}, (3, 1, 1)), np.reshape({std}, (3, 1, 1))
image = (resized(pixels / 255, {size}, {antialias}) - mean) / std""",
    "zscore": """\
deviation = pixels.std() if np.ptp(pixels) else 1
image = resized((pixels - pixels.mean()) / deviation, {size}, {antialias})""",
}
PROGRAM = '''\
import sys

import numpy as np
{importing}
from PIL import Image


def weights(length, new, antialias):
    """(new, length): of each pixel in those of another number along a side, bilinear between their centres."""
    scale = length / new
    centre = (np.arange(new)[:, None] + 0.5) * scale - 0.5
    near = 1 - np.abs(np.arange(length) - centre.clip(0, length - 1)) / (max(scale, 1) if antialias else 1)
    near = near.clip(0)
    return near / near.sum(1, keepdims=True)


def resized(x, size, antialias=False):
    """(..., H, W) to (..., *size)."""
    return weights(x.shape[-2], size[0], antialias) @ x @ weights(x.shape[-1], size[1], antialias).T


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
    """Python program whose arguments are the file, a picture, and a name for the mask."""
    needs = predictor.preprocessing
    importing, loading, running = format_.usage
    reading = READ.format(mode="RGB" if needs.channels == 3 else "L", channels=needs.channels)
    size = (needs.spatial_size, needs.spatial_size)
    normalising = NORMALISE[needs.normalisation].format(
        size=size, antialias=needs.antialias, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    return PROGRAM.format(
        importing=importing, loading=loading, reading=reading, normalising=normalising, running=running
    )
