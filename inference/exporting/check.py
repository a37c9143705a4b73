"""Numerical parity of an exported file with the network that it was written from."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.files import files_by_name
from datasets.specs import IMAGE_EXTS
from inference.exporting.network import ExportWrapper, Runner
from inference.network_scores import all_logits, check_finite
from inference.predictor import Predictor
from utils.inputs import paths_of

# Number of images from a folder, at even steps through its names.
IMAGES_OF_A_FOLDER = 8
SMALLEST_SIDE = 16
# A batch (B,C,H,W) and the network's outputs by name.
Answer = tuple[Tensor, dict[str, Tensor]]


def find_images(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Find the image files of ``--check_images``: given files, and some images of given folders.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for a folder without images.
    """
    found: list[Path] = []
    for path in paths_of(paths):
        if path.is_dir():
            images = [files[0] for files in files_by_name(path, IMAGE_EXTS).values()]
            if not images:
                raise ValueError(f"--check_images {path}: expected a folder with images, found none in it")
            count = min(len(images), IMAGES_OF_A_FOLDER)
            found += [images[index * len(images) // count] for index in range(count)]
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f"--check_images {path}: expected an image or a folder of images, found none")
    return found


def prepared_images(predictor: Predictor, paths: Sequence[Path]) -> list[Tensor]:
    """Network input of each file, (C,S,S); without files, of noise, the same each time."""
    needs = predictor.preprocessing
    if paths:
        return [needs.prepared(path)[0] for path in paths]
    draw = torch.Generator().manual_seed(0)
    return list(torch.randn(2, needs.channels, needs.spatial_size, needs.spatial_size, generator=draw))


def batches(images: Sequence[Tensor]) -> Iterator[Tensor]:
    """Test batches: each image (C,S,S) alone, two together, and one and two at another size, odd and not square."""
    pair = torch.stack([images[0], images[1] if len(images) > 1 else images[0].flip(-1)])
    side = pair.shape[-1]
    other_size = (max(SMALLEST_SIDE, side * 3 // 4) | 1, max(SMALLEST_SIDE, side // 2))
    other = F.interpolate(pair, size=other_size, mode="bilinear", align_corners=False)
    yield from (image[None] for image in images)
    yield pair
    yield other[:1]
    yield other


@torch.inference_mode()
def expected_outputs(
    module: ExportWrapper, inputs: Iterable[Tensor], *, names: Sequence[object] = (), network: str = "the network"
) -> list[Answer]:
    """Outputs of the network, on the CPU and in eval mode, on batches (B,C,H,W), as the reference for its file.

    Returns:
        An answer a batch, in their order, with logits, level logits and the probability in 0..1; shapes as of
        ``ExportWrapper``.

    Raises:
        ValueError: with one of ``names``, of the first inputs, or ``network``, for outputs that are not finite, or a
            network that takes images of one size.
    """
    answers = []
    for index, batch in enumerate(inputs):
        what = names[index] if index < len(names) else f"images of the shape {tuple(batch.shape)}"
        try:
            outputs = module(batch)
        except (AssertionError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(
                f"{network}: expected a network that takes images of any size, as its file is to, found one that does "
                f"not take {what}, {tuple(batch.shape)} ({reason})"
            ) from error
        check_finite(all_logits(outputs), what, network)
        answers.append((batch, outputs))
    return answers


@torch.inference_mode()
def largest_differences(answers: Iterable[Answer], run: Runner) -> dict:
    """Largest differences of a file's outputs from the network's; infinite for another shape, or NaN.

    Returns:
        ``shapes`` of the inputs; the largest difference of ``probability``, absolute, and of ``logits`` and
        ``level_logits`` relative to the largest logit of the batch (at least 1), the absolute one in
        ``logits_absolute``.
    """
    shapes, differences = [], []
    for batch, expected in answers:
        shapes.append(list(batch.shape))
        found = run(batch)
        scale = max(1.0, *(float(expected[name].abs().max()) for name in ("logits", "level_logits")))
        absolute = max(_difference(expected[name], found[name]) for name in ("logits", "level_logits"))
        probability = _difference(expected["probability"], found["probability"])
        differences.append({"probability": probability, "logits": absolute / scale, "logits_absolute": absolute})
    return {"shapes": shapes, **{key: max(of_batch[key] for of_batch in differences) for key in differences[0]}}


def _difference(expected: Tensor, found: Tensor) -> float:
    difference = float((expected - found).abs().max()) if expected.shape == found.shape else math.inf
    return math.inf if math.isnan(difference) else difference


def check_differences(differences: dict, tolerance: float) -> None:
    """Raise ValueError where a file's outputs differ from the network's by more than the tolerance."""
    if not max(differences["probability"], differences["logits"]) <= tolerance:
        raise ValueError(
            f"the written file: expected what PyTorch computes to {tolerance:g}, found probabilities up to "
            f"{differences['probability']:.1e} and logits up to {differences['logits']:.1e} (relative) away; it was "
            "removed, choose another --format"
        )
