"""Prepare a data set's gaze: a heatmap and a CRF map for every image that was looked at, and a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import joblib
import numpy as np

from datasets import io
from datasets.gaze.crf import crf_image, refine_with_crf, warm_up_crf
from datasets.gaze.fixations import Fixations, read_fixations
from datasets.gaze.heatmap import fixation_heatmap, to_uint8
from datasets.gaze.levels import default_thresholds
from datasets.segmentation import sample_path
from datasets.specs import DatasetSpec, get_spec
from utils.files import write_json
from utils.images import write_image
from utils.metrics import count, dice

HEATMAP_FOLDER = Path("gaze", "heatmap")
REPORT_FILE = Path("gaze", "report.json")


@dataclass(frozen=True)
class GazeSettings:
    """Settings of heatmap and CRF; see ``fixation_heatmap`` and ``refine_with_crf``."""

    sigma_px: float
    compat: float = 1
    iterations: int = 10
    sxy: float = 80
    srgb: float = 13


def iterate_plain(results: Iterator, total: int) -> Iterator:
    """The progress that shows nothing."""
    del total
    return results


def prepare_gaze(
    data: str,
    root: str | Path,
    fixations_csv: str | Path,
    *,
    sigma_px: float | None = None,
    num_levels: int = 2,
    workers: int = -1,
    progress=iterate_plain,
) -> dict:
    """Write ``gaze/heatmap/``, ``gaze/crf_compat1/`` and ``gaze/report.json`` under ``root``.

    Args:
        data: name of the data set, which fixes file types, sigma and thresholds.
        root: its folder, with ``images/`` and, for the quality figures, ``masks/``.
        fixations_csv: the fixation table.
        sigma_px: in place of the data set's own.
        num_levels: whose thresholds the report scores, beside 0.5.
        workers: processes; -1 for one a core.
        progress: wraps the iterator over results, as ``tqdm`` does; called with ``total=``.

    Returns:
        The report: settings, counts, images left out with the reason, and, where masks exist, the mean Dice
        of heatmap and CRF map at every threshold.

    Raises:
        FileNotFoundError, ValueError: for a table or data folder that is not as described.
    """
    spec, root = get_spec(data), Path(root)
    settings = GazeSettings(sigma_px=spec.sigma_px if sigma_px is None else sigma_px)
    fixations = read_fixations(fixations_csv)
    names, left_out = _images_to_prepare(spec, root, fixations)
    thresholds = sorted({0.5, *default_thresholds(spec.end_thresholds, num_levels)}, reverse=True)
    warm_up_crf()
    jobs = (joblib.delayed(prepare_image)(spec, root, n, fixations[n], settings, thresholds) for n in names)
    with joblib.parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        results = list(progress(joblib.Parallel(return_as="generator")(jobs), total=len(names)))
    left_out += [{"name": r["name"], "reason": r["reason"]} for r in results if "reason" in r]
    done = [r for r in results if "reason" not in r]
    report = {
        "data": data,
        "fixations": str(fixations_csv),
        "settings": asdict(settings),
        "num_images": len(done),
        "num_left_out": len(left_out),
        "left_out": left_out,
        "quality": _mean_quality([r["dice"] for r in done if "dice" in r], thresholds),
    }
    write_json(root / REPORT_FILE, report)
    return report


def prepare_image(
    spec: DatasetSpec,
    root: Path,
    name: str,
    fixations: Fixations,
    settings: GazeSettings,
    thresholds: list[float],
) -> dict:
    """Write one image's heatmap and CRF map.

    Returns:
        ``name``, and either ``reason`` (no map can be made of its fixations) or, where a mask exists,
        ``dice``: by kind of map, one value a threshold.
    """
    # One thread a process: the processes already fill the cores.
    cv2.setNumThreads(1)
    image = crf_image(io.read_image(sample_path(spec, root, "images", name)))
    try:
        heatmap = fixation_heatmap(fixations.xy, fixations.duration_ms, image.shape[:2], sigma_px=settings.sigma_px)
    except ValueError as error:
        return {"name": name, "reason": str(error)}
    maps = {"heatmap": _write_and_read(heatmap_path(spec, root, name), to_uint8(heatmap, half=True))}
    # The CRF starts from the heatmap as saved, so that the two folders belong together.
    refined = refine_with_crf(
        image,
        maps["heatmap"] / np.float32(255),
        compat=settings.compat,
        iterations=settings.iterations,
        sxy=settings.sxy,
        srgb=settings.srgb,
    )
    maps["crf"] = _write_and_read(sample_path(spec, root, "map", name), to_uint8(refined))
    mask_path = sample_path(spec, root, "masks", name)
    if not mask_path.is_file():
        return {"name": name}
    mask = io.read_mask(mask_path)
    return {"name": name, "dice": {kind: _dice_at(values, mask, thresholds) for kind, values in maps.items()}}


def heatmap_path(spec: DatasetSpec, root: Path, name: str) -> Path:
    """Where an image's heatmap is."""
    return root / HEATMAP_FOLDER / f"{name}{spec.map_ext}"


def _images_to_prepare(spec: DatasetSpec, root: Path, fixations: dict[str, Fixations]) -> tuple[list[str], list[dict]]:
    """Names with both image and fixations, and those left out; training ids need fixations, others may."""
    if not (root / "images").is_dir():
        raise FileNotFoundError(f"{root / 'images'}: expected a folder of {spec.image_ext} images, found none")
    names, left_out = [], []
    for name in fixations:
        if sample_path(spec, root, "images", name).is_file():
            names.append(name)
        else:
            left_out.append({"name": name, "reason": f"no image {name}{spec.image_ext}"})
    if not names:
        raise ValueError(
            f"{root / 'images'}: expected images that the fixation table names, found none of its "
            f"{len(fixations)} (first: {next(iter(fixations))}{spec.image_ext}); check --root, --data and --fixations"
        )
    if (root / "train.txt").is_file():
        without = [name for name in io.read_names(root / "train.txt") if name not in fixations]
        left_out += [{"name": name, "reason": "no fixation in the table"} for name in without]
    return names, left_out


def _write_and_read(path: Path, values: np.ndarray) -> np.ndarray:
    """Write a map and return it as its readers will see it: JPEG changes it a little."""
    write_image(path, values)
    return io.read_gray(path)


def _dice_at(values: np.ndarray, mask: np.ndarray, thresholds: list[float]) -> list[float]:
    return [dice(count(values / 255 >= t, mask)) for t in thresholds]


def _mean_quality(scores: list[dict], thresholds: list[float]) -> dict | None:
    if not scores:
        return None
    quality: dict = {"num_images": len(scores)}
    for kind in ("heatmap", "crf"):
        means = np.nanmean([score[kind] for score in scores], axis=0)
        quality[kind] = {f"{t:g}": round(float(mean), 6) for t, mean in zip(thresholds, means, strict=True)}
    return quality
