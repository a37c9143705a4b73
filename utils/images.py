"""Images: one way to write maps, masks and figures, and ImageNet's statistics."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from utils.files import replacing

COMMENT_KEY = "Comment"
# In every file of 16 bits: other programs write 12 or fewer into such files without a word.
FULL_SCALE = "65535 stands for 1"
FORMATS = {".png": "PNG", ".jpg": "JPEG"}
# Mean and deviation of its pixels in 0..1, as encoders that were trained on it expect them.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_image(path: Path, values: np.ndarray, *, comment: str | None = None) -> None:
    """Write (H,W) or (H,W,3) uint8, or as PNG (H,W) uint16 of which 65535 stands for 1, whole or not at all.

    The ending of ``path`` chooses the format: PNG, or JPEG as Pillow writes it by default (quality 75), which is
    how the reference's maps were made. ``comment`` goes into the file beside the pixels, which it does not change.
    """
    comment = FULL_SCALE if values.dtype == np.uint16 else comment
    # Pillow, writing to a file itself, takes no notice of a write that a full disk cut short.
    encoded = io.BytesIO()
    texts = PngInfo()
    if comment is not None:
        texts.add_text(COMMENT_KEY, comment)
    # PNG takes the one, JPEG the other.
    Image.fromarray(values).save(encoded, FORMATS[path.suffix], pnginfo=texts, comment=comment)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getvalue())
