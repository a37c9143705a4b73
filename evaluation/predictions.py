"""Predictions as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.per_case import ENSEMBLE
from evaluation.scores import Case
from utils.images import write_image

FULL = 65535


class MaskWriter:
    """Writes the ensemble's masks as ``<folder>/<name>.png``, 0 and 255."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, case: Case) -> None:
        """Write the mask of one case."""
        write_image(self.folder / f"{case.name}.png", case.masks[0].astype(np.uint8) * 255)


class ProbabilityWriter:
    """Writes ``<folder>/ensemble/<name>.png``, ``<folder>/level1/<name>.png``, ...: see ``probability_picture``."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, case: Case) -> None:
        """Write the maps of one case."""
        for index, probability in enumerate(case.probabilities):
            folder = self.folder / (f"level{index}" if index else ENSEMBLE)
            write_image(folder / f"{case.name}.png", probability_picture(probability))


def probability_picture(probability: np.ndarray) -> np.ndarray:
    """Probabilities (H,W) in 0..1 as uint16: 65535 times them, rounded."""
    return np.round(np.asarray(probability, np.float64) * FULL).astype(np.uint16)
