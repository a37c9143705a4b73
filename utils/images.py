"""Writing images: one way for maps, masks and figures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from utils.files import replacing

COMMENT_KEY = "Comment"
FORMATS = {".png": "PNG", ".jpg": "JPEG"}


def write_image(path: Path, values: np.ndarray, *, comment: str | None = None) -> None:
    """Write (H,W) or (H,W,3) uint8, or as PNG (H,W) uint16, whole or not at all.

    The ending of ``path`` chooses the format: PNG, or JPEG as Pillow writes it by default (quality 75), which is
    how the reference's maps were made. ``comment`` goes into the file beside the pixels, which it does not change.
    """
    # Pillow, writing to a file itself, takes no notice of a write that a full disk cut short.
    encoded = io.BytesIO()
    Image.fromarray(values).save(encoded, FORMATS[path.suffix], **_comment_options(path, comment))
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def read_with_comment(path: Path) -> tuple[np.ndarray, str | None]:
    """The pixels of a grey image, (H,W) uint8, and the comment in its file, None if there is none.

    Raises:
        OSError, ValueError, SyntaxError: for a file that is absent, cut or no image, as Pillow raises them.
    """
    with Image.open(path) as image:
        values = np.array(image.convert("L"))
        comment = image.info.get("comment", image.info.get(COMMENT_KEY))
    return values, comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment


def _comment_options(path: Path, comment: str | None) -> dict:
    if comment is None:
        return {}
    if path.suffix == ".png":
        info = PngInfo()
        info.add_text(COMMENT_KEY, comment)
        return {"pnginfo": info}
    return {"comment": comment.encode("utf-8")}
