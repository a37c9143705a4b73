"""Report on gaze and maps: their quality in lines and as a figure, and a picture of some, from fixations to levels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from datasets import io
from datasets.files import sample_image, sample_label, sample_path
from datasets.gaze.crf import crf_image
from datasets.gaze.fixations import Fixations
from datasets.gaze.quality import PER_IMAGE_FILE
from datasets.specs import DatasetSpec
from reporting.figures import write_gaze_figure
from reporting.visualize import gaze_row, grid

FIGURE_FILE = Path("gaze", "quality.png")
NUM_NAMED = 5
EXAMPLES_FILE = Path("gaze", "examples.png")
CELL_PX = 256


def print_named(what: str, items: Sequence[Mapping], listed_in: Path) -> None:
    """Print the first few images of a list, each with its reason; ``broken`` ones first."""
    for item in sorted(items, key=lambda item: not item.get("broken"))[:NUM_NAMED]:
        print(f"  {what} {item['name']}: {item['reason']}")
    if len(items) > NUM_NAMED:
        print(f"  ... and {len(items) - NUM_NAMED} more, all in {listed_in}")


def print_quality(quality: dict | None) -> None:
    """Print the means over images, as ``datasets.gaze.quality.summarize`` gives them."""
    if quality is None:
        print("no masks to score against: the quality of the maps is not known")
        return
    print(f"mean Dice against {quality['num_images']} masks, by threshold:")
    for kind, means in quality["dice"].items():
        print(f"  {kind:<8}" + "  ".join(f"{t}: {_number(value)}" for t, value in means.items()))
    share = quality["fixations_inside"]["share"]
    print(f"fixations inside the target: mean {_number(share['mean'])}, median {_number(share['median'])} over images")
    x, y = (quality["centroid_offset"][axis] for axis in ("x", "y"))
    print(
        f"gaze centroid less the target's, over images: {_number(x['mean'])} (std {_number(x['std'])}) of the width, "
        f"{_number(y['mean'])} (std {_number(y['std'])}) of the height"
    )


def write_figure(root: Path) -> Path:
    """Draw the per-image table under ``root``; the figure's path."""
    table = pd.read_csv(root / PER_IMAGE_FILE, dtype={"name": str}).set_index("name").astype(float)
    write_gaze_figure(root / FIGURE_FILE, table)
    return root / FIGURE_FILE


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


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
    rows = [
        gaze_row(
            crf_image(sample_image(spec, root, name)),
            fixations[name],
            io.read_map(sample_path(spec, root, "heatmap", name)),
            io.read_map(sample_path(spec, root, "map", name)),
            thresholds,
            sample_label(spec, root, name) if with_truth else io.Label(None),
        )
        for name in names
    ]
    return grid(rows, CELL_PX)
