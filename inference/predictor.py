"""Predictor: network and preprocessing from one checkpoint or several, for all commands that predict."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from datasets.io import image_of, read_image
from datasets.specs import RELEASED_SPATIAL_SIZE
from datasets.transforms import preprocess
from evaluation.metrics import THRESHOLD
from inference.network_scores import all_logits, check_finite, full_size_probabilities
from models import Ensemble, build_from_weights
from models.checkpoint import load_checkpoint
from models.level import checked_forward
from utils.devices import fastest_layout, pick_device, use_cores
from utils.inputs import paths_of, sha256_of

# Large entries of a checkpoint, which are not kept.
LARGE = ("state_dict", "trained", "optimizer")
# By the number of channels, for checkpoints that do not say: the released ones are of Kvasir and the prostate set.
RELEASED_NORMALISATION = {3: "imagenet", 1: "zscore"}


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of a network's images; small, for loader processes.

    Attributes:
        channels: of the image.
        normalisation: ``imagenet`` or ``zscore``.
        spatial_size: side of the network's input, pixels.
        antialias: see ``datasets.transforms.resize_smooth``.
    """

    channels: int
    normalisation: str
    spatial_size: int
    antialias: bool = False

    @property
    def needs_8_bit(self) -> bool:
        """Whether the normalisation is made for 8-bit images alone."""
        return self.normalisation == "imagenet"

    def prepared(self, image: str | Path | np.ndarray) -> tuple[Tensor, tuple[int, int]]:
        """An image as network input (C,S,S), and its own (height, width); errors as of ``io.read_image``."""
        make = read_image if isinstance(image, str | Path) else image_of
        pixels = make(image, self.channels, needs_8_bit=self.needs_8_bit)
        inputs = preprocess(pixels, self.normalisation, self.spatial_size, antialias=self.antialias)
        return inputs, pixels.shape[:2]


class ReadCheckpoint(NamedTuple):
    """A checkpoint as read, once: a running training replaces its latest."""

    path: Path
    sha256: str
    content: dict  # its entries except ``LARGE`` ones
    config: dict  # of its training; empty for a released one

    @property
    def is_best(self) -> bool:
        """Whether it holds the chosen iteration, which the latest checkpoint of a run names, too."""
        return self.content.get("iteration") == self.content.get("best_iteration")


class Predictor:
    """A trained network with its preprocessing: ``Predictor("model.pth")("image.png")`` is a map of probabilities.

    Args:
        checkpoints: a file, or several whose outputs are averaged, each once; ours or released.
        device: as ``--device`` names it; None for the GPU if there is one, else the CPU.
        ensemble: what is averaged over levels, checkpoints and views; None as the first was trained, ``logits`` if it
            does not say.
        tta: test-time augmentation: average over the image's mirror images, too.
        spatial_size: side of the network's input in pixels; None as trained, 224 if the checkpoint does not say.

    Attributes:
        model: in eval mode on ``device``; follows the output contract of ``MultiLevelModel``.
        device: where it is.
        preprocessing: of its images.
        tta: as given.
        checkpoints: in the order given.
        network: its name in errors: the files.
        iteration: of the first, None if it does not say.
        train_ids: hashes of the training images of all checkpoints; see ``datasets.remembered.hash_ids``.
        selected_on: the splits, ``validation`` or ``test``, on which any of them was the best.
        selection_ids: hashes of the images of these splits; empty where no checkpoint has them.

    Raises:
        FileNotFoundError, ValueError: for files that are no checkpoints, or checkpoints with different preprocessing.
    """

    def __init__(
        self,
        checkpoints: str | Path | Iterable[str | Path],
        device: torch.device | str | None = None,
        *,
        ensemble: str | None = None,
        tta: bool = False,
        spatial_size: int | None = None,
    ):
        paths = paths_of(checkpoints)
        if not paths or len(set(map(os.path.realpath, paths))) < len(paths):
            found = ", ".join(map(str, paths)) or "none"
            raise ValueError(f"--ckpt_path: expected each checkpoint once, and one at least, found {found}")
        read = [_read(path, spatial_size) for path in paths]
        models, needs, self.checkpoints = zip(*read, strict=True)
        _check_alike(paths, needs)
        self.tta = tta
        self.device = device if isinstance(device, torch.device) else pick_device(device)
        model = Ensemble(models, flips=tta, ensemble=ensemble or models[0].ensemble).eval()
        self.model = model.to(self.device, memory_format=fastest_layout(self.device))
        self.preprocessing = needs[0]
        self.network = ", ".join(map(str, paths))
        self.iteration: int | None = self.checkpoints[0].content.get("iteration")
        best = [one.content for one in self.checkpoints if one.is_best]
        self.selected_on = frozenset(one.get("selected_on") for one in best) - {None}
        self.selection_ids = frozenset(number for one in best for number in one.get("selection_ids", ()))
        self.train_ids = frozenset(number for one in self.checkpoints for number in one.config.get("train_ids", ()))

    @torch.inference_mode()
    def __call__(self, image: str | Path | np.ndarray) -> np.ndarray:
        """The probability of the target at every pixel of an image, at its own size; a mask is where it is above 0.5.

        Args:
            image: a file, or pixels as ``datasets.io.image_of`` takes them.

        Returns:
            (H,W) float32 in 0..1, of all levels together.

        Raises:
            FileNotFoundError, ValueError: for an image that is not taken, or outputs that are not finite.
        """
        inputs, size = self.preprocessing.prepared(image)
        logits = all_logits(self.model(inputs[None].to(self.device)))[:, 0]
        check_finite(logits, image if isinstance(image, str | Path) else "image", self.network)
        return full_size_probabilities(logits[:1], size)[0, 0].cpu().numpy()


@dataclass(frozen=True, kw_only=True)
class PredictorSettings:
    """Settings of the predictor, options of ``evaluate`` and ``predict`` by name.

    Attributes:
        ckpt_path: a checkpoint, or several, which are averaged.
        spatial_size, ensemble, tta: as of ``Predictor``.
        threshold: foreground is where the probability is above it, 0..1.
        spacing_mm: (row, column) of every image's pixels; None as DICOM headers say.
        save_prob: write probabilities, too, as 16-bit PNG.
        batch_size, threads, num_worker, device: as of ``Settings`` of a training.
    """

    ckpt_path: str | Path | Sequence[str | Path]
    spatial_size: int | None = None
    ensemble: str | None = None
    tta: bool = False
    threshold: float = THRESHOLD
    spacing_mm: tuple[float, float] | None = None
    save_prob: bool = False
    batch_size: int = 8
    threads: int | None = None
    num_worker: int | None = None
    device: str | None = None

    def open(self) -> tuple[Predictor, Self]:
        """Open the predictor; with it, the settings with the number of loader processes. Errors as of ``Predictor``."""
        device = pick_device(self.device)
        _, num_worker = use_cores(device, threads=self.threads, loaders=self.num_worker)
        own = {"ensemble": self.ensemble, "tta": self.tta, "spatial_size": self.spatial_size}
        return Predictor(self.ckpt_path, device, **own), replace(self, num_worker=num_worker)


def _read(path: str | Path, spatial_size: int | None) -> tuple[nn.Module, Preprocessing, ReadCheckpoint]:
    checkpoint, sha256 = load_checkpoint(path), sha256_of(path)
    config = checkpoint.get("config") or {}
    content = {key: value for key, value in checkpoint.items() if key not in LARGE}
    try:
        model = build_from_weights(checkpoint["state_dict"], config.get("model"))
        return model, _needs(model, config, spatial_size), ReadCheckpoint(Path(path), sha256, content, config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _needs(model: nn.Module, config: dict, spatial_size: int | None) -> Preprocessing:
    """Preprocessing of a network's images; ValueError where it contradicts the network."""
    first = model.model[0]
    channels = first.in_channels
    needs = Preprocessing(
        channels,
        config.get("normalisation") or RELEASED_NORMALISATION.get(channels, "zscore"),
        spatial_size or config.get("spatial_size") or RELEASED_SPATIAL_SIZE,
        config.get("antialias", False),
    )
    expected = config.get("channels", channels)
    if expected != channels:
        raise ValueError(f"expected a network for {expected} image channels, as the checkpoint says, found {channels}")
    allowed = (3,) if needs.needs_8_bit else (1, 3)
    if channels not in allowed:
        raise ValueError(
            f"expected a network for images of {' or '.join(map(str, allowed))} channels (normalisation "
            f"{needs.normalisation}), found one for {channels}"
        )
    if not first.takes_all_images:
        # Some encoders take images of one size.
        with torch.inference_mode():
            checked_forward(first.eval(), torch.zeros(1, channels, *2 * [needs.spatial_size]))
    return needs


def _check_alike(paths: Sequence, needs: Sequence[Preprocessing]) -> None:
    for path, other in zip(paths[1:], needs[1:], strict=True):
        for key, expected in asdict(needs[0]).items():
            if (found := getattr(other, key)) != expected:
                raise ValueError(
                    f"{path}: expected {key} {expected}, as {paths[0]} was trained with, found {found}; checkpoints "
                    "are averaged on the same input"
                )
