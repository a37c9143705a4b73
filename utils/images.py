"""Writing of maps, masks and figures as images, and ImageNet's statistics."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from utils.files import replacing

COMMENT_KEY = "Comment"
# Comment of our 16-bit files: other programs write 12 bits or fewer into such files.
FULL_SCALE = "65535 stands for 1"
FORMATS = {".png": "PNG", ".jpg": "JPEG"}
# Mean and standard deviation of its pixels in 0..1, for encoders that were trained on it.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_image(path: Path, values: np.ndarray, *, comment: str | None = None) -> None:
    """Atomic write of (H,W) or (H,W,3) uint8, or as PNG (H,W) uint16, where 65535 stands for 1.

    The ending of ``path`` chooses the format: PNG, or JPEG as Pillow writes it by default (quality 75), which is
    how the reference's maps were made. ``comment`` goes into the file beside the pixels, which it does not change.
    """
    comment = FULL_SCALE if values.dtype == np.uint16 else comment
    # Encoded in memory: Pillow does not notice a write that a full disk cuts short.
    encoded = io.BytesIO()
    texts = PngInfo()
    if comment is not None:
        texts.add_text(COMMENT_KEY, comment)
    # PNG takes pnginfo, JPEG comment.
    Image.fromarray(values).save(encoded, FORMATS[path.suffix], pnginfo=texts, comment=comment)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getvalue())
