"""Predictions as files."""

from pathlib import Path

import numpy as np

from evaluation.per_case import ENSEMBLE
from evaluation.scores import Case
from utils.images import write_image

FULL = 65535


def write_mask(folder: Path, case: Case) -> None:
    """Write the ensemble's mask of a case as ``<folder>/<name>.png``, 0 and 255."""
    write_image(folder / f"{case.name}.png", case.masks[0].astype(np.uint8) * 255)


def write_probabilities(folder: Path, case: Case) -> None:
    """Write ``<folder>/ensemble/<name>.png``, ``<folder>/level1/<name>.png``, ...: see ``probability_picture``."""
    for index, probability in enumerate(case.probabilities):
        place = folder / (f"level{index}" if index else ENSEMBLE)
        write_image(place / f"{case.name}.png", probability_picture(probability))


def probability_picture(probability: np.ndarray) -> np.ndarray:
    """Probabilities (H,W) in 0..1 as uint16: 65535 times them, rounded."""
    return np.round(np.asarray(probability, np.float64) * FULL).astype(np.uint16)
