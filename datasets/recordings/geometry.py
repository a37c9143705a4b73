"""From coordinates on a screen to degrees of visual angle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.recordings.recording import Rect


@dataclass(frozen=True)
class Geometry:
    """How the screen stood before the eye.

    Attributes:
        screen: in the unit of the coordinates.
        screen_cm: its width and height.
        distance_cm: from the eye to its centre.
        px_per_degree: (x, y), as the tracker says; used where the sizes are not given.
    """

    screen: Rect | None
    screen_cm: tuple[float, float] | None
    distance_cm: float | None
    px_per_degree: tuple[float, float] | None

    def to_degrees(self, xy: np.ndarray, path: Path) -> np.ndarray:
        """(N,2) coordinates as degrees from the centre of the screen; ValueError if the geometry is not known."""
        if self.screen and self.screen_cm and self.distance_cm:
            from pymovements.transforms.numpy import pix2deg

            screen = self.screen
            centre = (screen.left + screen.width / 2, screen.top + screen.height / 2)
            return pix2deg(xy - centre, (screen.width, screen.height), self.screen_cm, self.distance_cm, "center")
        if self.px_per_degree:
            return xy / self.px_per_degree
        raise ValueError(
            f"{path}: expected the viewing geometry to find fixations among samples, in degrees, found none in the "
            "file; give --screen_px W,H --screen_cm W,H --distance_cm D"
        )
