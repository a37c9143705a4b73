"""Gaze map files: paths, formats, and the fingerprint of what each map was made from."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from datasets import io
from datasets.files import REPORT_FILE, SAMPLE_FOLDERS
from datasets.specs import MAP_EXTS, DatasetSpec
from utils.files import read_json
from utils.images import write_image

GAZE_FOLDER = Path("gaze")
# In the order in which they are made.
MAP_FOLDERS = {"heatmap": SAMPLE_FOLDERS["heatmap"], "crf": SAMPLE_FOLDERS["map"]}
# Choices of --map_format: what the reference writes for each data set, or no JPEG loss.
MAP_FORMAT_CHOICES = ("as-reference", "png")
OURS = "gazemedseg"  # the start of each fingerprint
# Description of a round's maps, beside their folder.
LABELS_FILE = "labels.json"
# Part of every fingerprint: to be raised with any change of the formulas.
FORMULAS = "1"


def map_ending(spec: DatasetSpec, map_format: str) -> str:
    """The ending of maps to write: the data set's own, or ``.png``.

    Raises:
        ValueError: for a format other than those of ``MAP_FORMAT_CHOICES``.
    """
    if map_format not in MAP_FORMAT_CHOICES:
        raise ValueError(f"map_format: expected one of {', '.join(MAP_FORMAT_CHOICES)}, found {map_format!r}")
    return spec.map_ext if map_format == "as-reference" else ".png"


def read_labels(folder: str | Path) -> dict | None:
    """Description of the labels in the folder of a round (``training.labels``); None where they are not finished.

    Raises:
        ValueError: for a file that is something else.
    """
    labels = read_json(Path(folder) / LABELS_FILE, "what is known of labels")
    return labels if labels.get("finished") else None


def why_missing(spec: DatasetSpec, root: Path, names: Collection[str], fixations: str | Path = "CSV") -> str:
    """Advice on images without a map: why the last preparation left out the first of them, or how to make them.

    Args:
        names: of the images.
        fixations: the table, for the command.
    """
    report = root / REPORT_FILE
    try:
        left_out = json.loads(report.read_text(encoding="utf-8"))["left_out"]
        reasons = {item["name"]: item["reason"] for item in left_out if item["name"] in names}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        reasons = {}
    if not reasons:
        return f"make them with: python run.py prepare --data {spec.name} --root {root} --fixations {fixations}"
    # The same command would leave them out again.
    name, reason = next(iter(reasons.items()))
    return f"run.py prepare has left out {len(reasons)} of them ({name}: {reason}; all in {report})"


def fingerprint(*parts) -> str:
    """Fingerprint (BLAKE2b hash) of what a map was made from: arrays, bytes, numbers, text."""
    digest = hashlib.blake2b(FORMULAS.encode(), digest_size=16)
    for part in parts:
        content = part.tobytes() if isinstance(part, np.ndarray) else part
        content = content if isinstance(content, bytes) else repr(content).encode()
        # The length in front keeps "ab", "c" apart from "a", "bc".
        digest.update(len(content).to_bytes(8, "little") + content)
    return f"{OURS} {digest.hexdigest()}"


def reuse_or_make_map(path: Path, made_from: str, make: Callable[[], np.ndarray]) -> tuple[np.ndarray, bool]:
    """Read a map, or make it where its file is absent, damaged or of another fingerprint.

    Returns the pixels as read from the file, (H,W) uint8, and whether the map was made."""
    with contextlib.suppress(OSError, ValueError):
        values, comment = io.read_with_comment(path)
        if comment == made_from:
            return values, False
    write_image(path, make(), comment=made_from)
    # Read back, as JPEG changes it a little.
    return io.read_gray(path), True


def remove_other_formats(path: Path) -> None:
    """Remove the same map in another format, which the one at ``path`` replaces."""
    for ending in MAP_EXTS:
        if ending != path.suffix:
            path.with_name(path.name.removesuffix(path.suffix) + ending).unlink(missing_ok=True)


def remove_own_maps(folder: Path, name: str) -> None:
    """Remove the maps of an image that this program made; a map from elsewhere stays."""
    for path in (folder / f"{name}{ending}" for ending in MAP_EXTS):
        with contextlib.suppress(OSError, ValueError):
            if (io.read_with_comment(path)[1] or "").startswith(OURS):
                path.unlink()
