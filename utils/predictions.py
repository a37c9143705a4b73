"""Predictions as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.images import write_image


class MaskWriter:
    """Writes masks as ``<folder>/<name>.png``, 0 and 255."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, name: str, mask: np.ndarray) -> None:
        """Write one mask (H,W) bool."""
        write_image(self.folder / f"{name}.png", mask.astype(np.uint8) * 255)
