"""Writing images: one way for maps, masks and figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from utils.files import replacing


def write_image(path: Path, values: np.ndarray) -> None:
    """Write (H,W) or (H,W,3) uint8, whole or not at all.

    The ending of ``path`` chooses the format: PNG, or JPEG as Pillow writes it by default (quality 75), which is
    how the reference's maps were made.
    """
    with replacing(path) as temporary:
        Image.fromarray(values).save(temporary)
