"""Images from files, in batches; what cannot be read is said and not raised."""

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

# Above what any image takes that is read; some files under /proc claim to be as large as the memory may be.
MAX_FILE_BYTES = 2**32
# An image file to the network's input (C,S,S) and its own (height, width) in pixels.
Prepare = Callable[[Path], tuple[Tensor, tuple[int, int]]]


class Batch(NamedTuple):
    """Images in their order, and the network's inputs (B,C,S,S); None where nothing is to be predicted.

    The input of an image that is refused or finished is 0. The last bits of a prediction depend on the size of its
    batch, and are to be the same whether it is made at once or by a call that continues.
    """

    images: Sequence[FoundImage]
    inputs: Tensor | None


def image_loader(images: Sequence[FoundImage], prepare: Prepare, *, batch_size: int, num_worker: int) -> DataLoader:
    """A loader of ``Batch`` over the images once, in order; no more than a few batches are there at a time.

    ``prepare`` is to be picklable, for loader processes.
    """
    options = worker_options(num_worker)
    return DataLoader(images, batch_size=batch_size, collate_fn=functools.partial(_batch, prepare), **options)


def load(image: FoundImage, prepare: Prepare) -> tuple[FoundImage, Tensor | None]:
    """An image that is read, and the network's input, None where there is nothing to predict; raises nothing."""
    try:
        image = image._replace(sha256=sha256_of(image.path, max_bytes=MAX_FILE_BYTES))
        if image.sha256 == image.finished_from:
            return image, None
        tensor, size = prepare(image.path)
    except Exception as error:  # a damaged file can raise anything, and the rest is to be done
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
