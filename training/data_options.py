"""Settings that follow from the data set."""

import os

from datasets.specs import DatasetSpec
from losses.objectives import learns_from_gaze
from models import MODELS
from training.settings import Settings


def complete(settings: Settings, spec: DatasetSpec) -> Settings:
    """Complete settings by the data set; returns a copy.

    ``in_channels`` are the data set's; ``num_levels``, where not given, the number of its thresholds (gaze) or 1 (full
    supervision); ``exp_path``, where not given, is named after data set, mode, levels and, if there is one, seed.

    Raises:
        ValueError: for ``--in_channels`` other than the data set's.
    """
    if settings.in_channels not in (None, spec.in_channels):
        raise ValueError(
            f"--in_channels {settings.in_channels}: expected {spec.in_channels}, the channels of --data {settings.data}"
        )
    num_levels = settings.num_levels or (len(spec.end_thresholds) if learns_from_gaze(settings.mode) else 1)
    parts = (settings.data, settings.mode, f"{num_levels}level", settings.cons_mode)
    # With several seeds, each has a folder inside.
    parts += () if settings.seeds else (f"seed{settings.seed}",)
    return settings.replace(
        in_channels=spec.in_channels,
        encoder_input=MODELS[settings.model].encoder_input(settings.declared, spec.normalisation),
        num_levels=num_levels,
        exp_path=settings.exp_path or os.path.join("exp", "_".join(parts)),
    )
