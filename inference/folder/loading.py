"""Loading of images in batches; unreadable files are marked as refused, without an exception."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from datasets.loaders import worker_options
from inference.folder.images import FoundImage
from utils.inputs import sha256_of

# More than any accepted image; some files under /proc claim enormous sizes.
MAX_FILE_BYTES = 2**32
# From an image file to the network's input (C,S,S) and the image's (height, width).
Prepare = Callable[[Path], tuple[Tensor, tuple[int, int]]]


class Batch(NamedTuple):
    """A batch of images in order, and the network's inputs (B,C,S,S); None where nothing is to be predicted.

    The input of a refused or finished image is 0: the last bits of a prediction depend on the size of its batch, which
    has to be the same in a call that continues.
    """

    images: Sequence[FoundImage]
    inputs: Tensor | None


def image_loader(images: Sequence[FoundImage], prepare: Prepare, *, batch_size: int, num_worker: int) -> DataLoader:
    """A loader of ``Batch`` over the images once, in order, with a few batches in memory at a time.

    ``prepare`` has to be picklable, for loader processes.
    """
    options = worker_options(num_worker)
    return DataLoader(images, batch_size=batch_size, collate_fn=functools.partial(_batch, prepare), **options)


def load(image: FoundImage, prepare: Prepare) -> tuple[FoundImage, Tensor | None]:
    """Read an image: its state, and the network's input, None where there is nothing to predict; raises nothing."""
    try:
        image = image._replace(sha256=sha256_of(image.path, max_bytes=MAX_FILE_BYTES))
        if image.sha256 == image.finished_from:
            return image, None
        tensor, size = prepare(image.path)
    except Exception as error:  # a damaged file can raise anything, and must not stop the others
        return image._replace(refused=_reason(image.path, error)), None
    return image._replace(size_px=size), tensor


def _batch(prepare: Prepare, images: Sequence[FoundImage]) -> Batch:
    images, tensors = zip(*(load(image, prepare) for image in images), strict=True)
    nothing = next((torch.zeros_like(tensor) for tensor in tensors if tensor is not None), None)
    if nothing is None:
        return Batch(images, None)
    return Batch(images, torch.stack([nothing if tensor is None else tensor for tensor in tensors]))


def _reason(path: Path, error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError) and text:
        return text
    return f"{path}: expected an image, found an unreadable file ({type(error).__name__}: {text})"
