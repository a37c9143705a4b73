"""A picture of prepared gaze: a row an image, from its fixations to its levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets import io
from datasets.files import sample_path
from datasets.gaze.crf import crf_image
from datasets.gaze.fixations import Fixations
from datasets.specs import DatasetSpec
from reporting.visualize import gaze_row, grid

EXAMPLES_FILE = Path("gaze", "examples.png")
CELL_PX = 256


def gaze_picture(
    spec: DatasetSpec,
    root: Path,
    names: Sequence[str],
    fixations: Mapping[str, Fixations],
    thresholds: Sequence[float],
) -> np.ndarray:
    """A row a prepared image: fixations, heatmap, CRF map and levels.

    Args:
        spec, root: the data set and its folder.
        names: one or more images whose maps ``prepare_gaze`` has written.
        fixations: by name.
        thresholds: one a level.

    Returns:
        (H,W,3) uint8; the truth is outlined in green where all the images have a mask.

    Raises:
        FileNotFoundError: for an image that is not prepared.
    """
    with_truth = all(sample_path(spec, root, "masks", name).is_file() for name in names)
    lines, titles = [], []
    for name in names:
        cells, titles = gaze_row(
            crf_image(
                io.read_image(sample_path(spec, root, "images", name), spec.in_channels, needs_8_bit=spec.needs_8_bit)
            ),
            fixations[name].xy,
            fixations[name].duration_ms,
            io.read_map(sample_path(spec, root, "heatmap", name)),
            io.read_map(sample_path(spec, root, "map", name)),
            thresholds,
            *(io.read_label(sample_path(spec, root, "masks", name), spec.ignore_value) if with_truth else ()),
        )
        lines.append(cells)
    return grid(lines, titles, CELL_PX)
