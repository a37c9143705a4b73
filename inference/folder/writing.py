"""Writing of an image's results: mask, overlay, probabilities, and DICOM geometry."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from datasets.dicom import is_dicom
from datasets.gaze.crf import crf_image
from datasets.io import read_image
from datasets.spacing import dicom_geometry
from inference.folder.images import FoundImage
from inference.network_scores import full_size_probabilities, probability_picture
from reporting.visualize import PREDICTION_COLOUR, with_contour
from utils.files import write_json
from utils.images import write_image

# The longest side of a JPEG.
LARGEST_OVERLAY_PX = 65500


@dataclass(frozen=True)
class Writer:
    """Writes the results of one image after the other, in any number of threads.

    Attributes:
        path_of: from kind and name to the path of a result; see ``inference.folder.images.KINDS``.
        threshold: foreground is where the probability is above it.
        spacing_mm: (row, column) of every image's pixels; None as DICOM headers say.
        overlay, save_prob: whether to write these besides the mask.
    """

    path_of: Callable[[str, str], Path]
    threshold: float
    spacing_mm: tuple[float, float] | None
    overlay: bool
    save_prob: bool

    @property
    def kinds(self) -> list[str]:
        """Kinds of results that are written of every image."""
        return ["mask"] + ["overlay"] * self.overlay + ["probability"] * self.save_prob

    # Here, as inference mode is a thread's own.
    @torch.inference_mode()
    def __call__(self, image: FoundImage, logits: Tensor) -> dict:
        """Write all results of one image, except a mask that exists; ``logits`` (1,S,S) float32.

        Returns:
            Its record: ``file``, ``source`` (its absolute path), ``sha256``, the figures of the table,
            ``pixel_spacing_source``, and ``problem`` with the header's spacing or place, None if there is none.

        Raises:
            OSError: where something cannot be written.
            ValueError: if the image has changed so that it can no longer be read.
        """
        name, path, (height, width) = image.name, image.path, image.size_px
        probability = full_size_probabilities(logits[None], (height, width))[0, 0].cpu().numpy()
        mask = probability > self.threshold
        place = dicom_geometry(path)
        if self.spacing_mm is not None:
            place |= {"pixel_spacing_mm": self.spacing_mm, "pixel_spacing_source": "--spacing_mm"}
        if self.save_prob:
            write_image(self.path_of("probability", name), probability_picture(probability))
        if self.overlay:
            write_image(self.path_of("overlay", name), overlay_picture(read_image(path), mask))
        if is_dicom(path):
            write_json(self.path_of("geometry", name), {"mask": f"{Path(name).name}.png", "image": path.name, **place})
        # An existing mask has the same image and settings, and may have been corrected by hand.
        if not (place_of_mask := self.path_of("mask", name)).is_file():
            write_image(place_of_mask, mask.astype(np.uint8) * 255)
        shape, spacing = measure_mask(mask, probability), place.get("pixel_spacing_mm")
        return {
            "file": str(path),
            "source": str(path.absolute()),
            "sha256": image.sha256,
            "height_px": height,
            "width_px": width,
            "area_mm2": shape["area_px"] * spacing[0] * spacing[1] if spacing else None,
            **shape,
            "pixel_spacing_source": place.get("pixel_spacing_source"),
            "problem": place.get("problem"),
        }


def measure_mask(mask: np.ndarray, probability: np.ndarray) -> dict[str, float | None]:
    """Measure a mask (H,W) bool, not of size 0, with the probabilities (H,W) that it was made from.

    Returns:
        ``area_px``: foreground pixels; ``area_share``: of all pixels, 0..1; ``num_components``: connected parts (pixels
        that touch at a corner are connected); ``largest_component_px``: 0 for an empty mask; ``confidence``: mean
        probability over the foreground pixels, threshold..1, None for an empty mask.
    """
    area = int(np.count_nonzero(mask))
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return {
        "area_px": area,
        "area_share": area / mask.size,
        # The first component is the background.
        "num_components": count - 1,
        "largest_component_px": int(stats[1:, cv2.CC_STAT_AREA].max(initial=0)),
        "confidence": float(probability[mask].mean(dtype=np.float64)) if area else None,
    }


def overlay_picture(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Overlay (H,W,3) uint8: an image as read, (H,W,C), with the contour of its mask (H,W) in yellow.

    Grey values of more than 8 bits are stretched from the image's lowest to its highest. Sides of more than 65,500
    pixels, too long for JPEG, are subsampled.
    """
    picture = np.repeat(image, 3, axis=2) if image.dtype == np.uint8 and image.shape[2] == 1 else crf_image(image)
    step = -(-max(mask.shape) // LARGEST_OVERLAY_PX)
    return with_contour(np.ascontiguousarray(picture[::step, ::step]), mask[::step, ::step], PREDICTION_COLOUR)
