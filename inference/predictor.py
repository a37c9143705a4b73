"""From checkpoint files to a network that predicts, with what it has to be fed; shared by all commands that predict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from datasets.io import read_image
from datasets.specs import DATASETS
from datasets.transforms import preprocess
from models import Averaged, build_from_weights
from models.checkpoint import load_checkpoint
from models.smp_unet import SmpLevelUNet, tried
from utils.devices import fastest_layout

RELEASED_SPATIAL_SIZE = 224
# By the number of channels, for checkpoints that do not say: the released ones are of these data sets.
RELEASED_NORMALISATION = {spec.in_channels: spec.normalisation for spec in DATASETS.values() if not spec.has_settings}
ALIKE = ("channels", "normalisation", "spatial_size", "antialias")


@dataclass(frozen=True)
class Predictor:
    """A network and its preprocessing.

    Attributes:
        model: in eval mode on ``device``; follows the output contract of ``MultiLevelModel``.
        device: where it is.
        channels, normalisation, spatial_size, antialias: how its images are made; see ``prepared``.
        checkpoints: the files, in the order given.
        config: what the first of them remembers of its training; empty for a released one.
        iteration: of the first, None if it does not say.
        train_ids: numbers of the training images of all of them; see ``training.data_options.id_numbers``.
    """

    model: Averaged
    device: torch.device
    channels: int
    normalisation: str
    spatial_size: int
    antialias: bool
    checkpoints: tuple[Path, ...]
    config: dict
    iteration: int | None
    train_ids: frozenset[int]

    @property
    def network(self) -> str:
        """What it is called in errors: its files."""
        return ", ".join(map(str, self.checkpoints))

    @property
    def needs_8_bit(self) -> bool:
        """Whether the normalisation is made for 8-bit images alone."""
        return self.normalisation == "imagenet"

    def prepared(self, path: Path) -> tuple[Tensor, tuple[int, int]]:
        """An image file as network input (C,S,S), and its own (height, width); errors as of ``io.read_image``."""
        image = read_image(path, self.channels, needs_8_bit=self.needs_8_bit)
        inputs = preprocess(image, self.normalisation, self.spatial_size, antialias=self.antialias)
        return inputs, image.shape[:2]


def load_predictor(
    paths: Sequence[str | Path],
    device: torch.device,
    *,
    ensemble: str | None = None,
    tta: bool = False,
    spatial_size: int | None = None,
) -> Predictor:
    """Load one checkpoint, or several to be averaged; ours or released.

    Args:
        paths: checkpoint files, at least one, each once.
        ensemble: what is averaged over levels, checkpoints and views; None as the first was trained, ``logits`` if it
            does not say.
        tta: average over the image's mirror images, too.
        spatial_size: side of the network's input in pixels; None as trained, 224 if the checkpoint does not say.

    Raises:
        FileNotFoundError, ValueError: for files that are no checkpoints, or checkpoints that want their images made
            differently.
    """
    if len(set(map(os.path.realpath, paths))) < len(paths):
        raise ValueError(f"--ckpt_path: expected each checkpoint once, found {', '.join(map(str, paths))}")
    loaded = [load_checkpoint(path) for path in paths]
    configs = [checkpoint.get("config") or {} for checkpoint in loaded]
    models: list[nn.Module] = []
    needs: list[dict] = []
    for path, checkpoint, config in zip(paths, loaded, configs, strict=True):
        try:
            models.append(build_from_weights(checkpoint["state_dict"], config.get("model")))
            needs.append(_needs(models[-1], config, spatial_size))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    _check_alike(paths, needs)
    model = Averaged(models, flips=tta, ensemble=ensemble or models[0].ensemble).eval()
    model = model.to(device, memory_format=fastest_layout(device))
    return Predictor(
        model=model,
        device=device,
        **needs[0],
        checkpoints=tuple(map(Path, paths)),
        config=configs[0],
        iteration=loaded[0].get("iteration"),
        train_ids=frozenset(number for config in configs for number in config.get("train_ids", ())),
    )


def _needs(model: nn.Module, config: dict, spatial_size: int | None) -> dict:
    """How a network's images are made; a ValueError where its checkpoint says what cannot be, or it takes none such."""
    first = model.model[0]
    channels = first.in_channels
    needs = {
        "channels": channels,
        "normalisation": config.get("normalisation") or RELEASED_NORMALISATION.get(channels, "zscore"),
        "spatial_size": spatial_size or config.get("spatial_size") or RELEASED_SPATIAL_SIZE,
        "antialias": config.get("antialias", False),
    }
    said = config.get("channels", channels)
    if said != channels:
        raise ValueError(f"expected a network for {said} image channels, as the checkpoint says, found {channels}")
    if needs["normalisation"] == "imagenet" and channels != 3:
        raise ValueError(
            f"expected a network for images of 3 channels (normalisation imagenet), found one for {channels}"
        )
    if isinstance(first, SmpLevelUNet):
        # Some of its encoders take images of one size.
        with torch.inference_mode():
            tried(first.eval(), torch.zeros(1, channels, *2 * [needs["spatial_size"]]))
    return needs


def _check_alike(paths: Sequence, needs: Sequence[dict]) -> None:
    for path, other in zip(paths[1:], needs[1:], strict=True):
        for key in ALIKE:
            if other[key] != needs[0][key]:
                raise ValueError(
                    f"{path}: expected {key} {needs[0][key]}, as {paths[0]} was trained with, found {other[key]}; "
                    "checkpoints are averaged on the same input"
                )
