"""Predictions as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from utils.files import replacing


class MaskWriter:
    """Writes masks as ``<folder>/<name>.png``, 0 and 255."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, name: str, mask: np.ndarray) -> None:
        """Write one mask (H,W) bool."""
        write_picture(self.folder / f"{name}.png", mask.astype(np.uint8) * 255)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write (H,W) or (H,W,3) uint8 as PNG."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary)
