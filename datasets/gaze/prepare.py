"""Preparation of a data set's gaze: a heatmap and a CRF map for every image that was looked at, and a report.

Safe to stop at any moment: files are written atomically and carry a fingerprint of what they were made from, so that
the next call does what is missing or outdated and nothing else.
"""

import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np

from datasets import io
from datasets.files import (
    REPORT_FILE,
    UNFINISHED_FILE,
    check_one_file_a_name,
    near_miss_hint,
    sample_image,
    sample_label,
    sample_path,
    similar_files,
)
from datasets.gaze.crf import CRF_ENGINES, crf_image, refine_with_crf
from datasets.gaze.dense_crf.packing import lattice_packing
from datasets.gaze.fixations import Fixations, read_fixations
from datasets.gaze.heatmap import check_sigma, fixation_heatmap, to_uint8
from datasets.gaze.levels import default_thresholds
from datasets.gaze.map_files import (
    GAZE_FOLDER,
    MAP_FOLDERS,
    fingerprint,
    map_ending,
    remove_other_formats,
    remove_own_maps,
    reuse_or_make_map,
)
from datasets.gaze.quality import QUALITY_FILE, THRESHOLDS, score_image, write_quality
from datasets.specs import DatasetSpec, get_spec
from utils.files import remove_temporary, write_json, write_text
from utils.inputs import sha256_of
from utils.locks import lock_folder
from utils.log import code_version
from utils.parallel import map_in_processes, map_on_dask
from utils.settings import NATURAL, NOT_NEGATIVE, POSITIVE, checked_value, declared_settings, setting

VERSIONED_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "pillow", "numba", "pydensecrf2", "pydicom")


@dataclass(frozen=True)
class GazeSettings:
    """Settings of the maps; see ``fixation_heatmap`` and ``refine_with_crf``. ValueError for impossible ones."""

    sigma_px: float
    compat: float = setting(1.0, "weight of the Potts term", NOT_NEGATIVE, flags=("--crf_compat",))
    iterations: int = setting(10, "of mean field", NATURAL, flags=("--crf_iterations",))
    sxy: float = setting(80.0, "standard deviation of position, pixels", POSITIVE, flags=("--crf_sxy",))
    srgb: float = setting(13.0, "standard deviation of colour, grey values", POSITIVE, flags=("--crf_srgb",))
    engine: str = setting("compiled", "both give the same maps", choices=CRF_ENGINES, flags=("--crf_engine",))

    def __post_init__(self):
        # 70 and 70.0 are one setting and must have one fingerprint.
        object.__setattr__(self, "sigma_px", float(self.sigma_px))
        check_sigma(self.sigma_px)
        for name, one in declared_settings(GazeSettings).items():
            object.__setattr__(self, name, checked_value(one, getattr(self, name)))


def prepare_gaze(
    data: str,
    root: str | Path,
    fixations_csv: str | Path,
    *,
    settings: GazeSettings | None = None,
    num_levels: int | None = None,
    map_format: str = "as-reference",
    workers: int = -1,
    dask: str | None = None,
    progress: Callable = lambda results, total: results,
) -> dict:
    """Write ``gaze/heatmap/``, ``gaze/crf_compat1/``, ``gaze/per_image.csv`` and ``gaze/report.json`` under ``root``.

    Maps that are there and were made from the same image, fixations and settings are kept.

    Args:
        data: name of the data set, which fixes file types, sigma and thresholds.
        root: its folder, with ``images/`` and, for the quality figures, ``masks/``.
        fixations_csv: the fixation table.
        settings: in place of the data set's own.
        num_levels: levels at whose thresholds maps are scored, beside 0.1 to 0.9; None for the data set's own.
        map_format: ``as-reference`` or ``png``.
        workers: processes; -1 for one a core. The files do not depend on it.
        dask: address of a Dask scheduler whose workers do the work instead and see ``root`` under this path.
        progress: wraps the iterator over results, as ``tqdm`` does; called with ``total=``.

    Returns:
        The report: settings, versions, counts, images left out and masks not used with the reason, and, where
        masks exist, the quality of heatmap and CRF map; besides what is written, ``num_made``.

    Raises:
        OSError, ValueError: for a table or data folder that is not as described, or a file that cannot be written.
    """
    spec, root = get_spec(data, root), Path(root).resolve()
    settings = settings or GazeSettings(sigma_px=spec.sigma_px)
    ending = map_ending(spec, map_format)
    fixations = read_fixations(fixations_csv)
    # Settings too small for the smallest image are a mistake; an image too large for them is left out alone.
    sizes = (seen.image_size for seen in fixations.values() if seen.image_size)
    lattice_packing(min(sizes, key=math.prod, default=(1, 1)), settings.sxy, settings.srgb)
    names, left_out = images_to_prepare(spec, root, fixations)
    thresholds = level_thresholds(spec, num_levels)
    items = ((spec, root, name, fixations[name], settings, thresholds, ending) for name in names)
    with lock_folder(root / GAZE_FOLDER, "a preparation"):
        if dask:
            making = map_on_dask(prepare_image, items, dask, root)
        else:
            # Compiled once here (about 6 s, once a machine), or every process would do it for itself.
            refine_with_crf(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.float32), engine=settings.engine)
            making = map_in_processes(prepare_image, items, workers)
        _begin(root)
        rows, unscored, num_made = {}, [], 0
        for result in progress(making, total=len(names)):
            if "reason" in result:
                left_out.append(result)
                continue
            # Every result brings column names of its own, which would take most of the memory of a million rows.
            rows[result["name"]] = {sys.intern(column): value for column, value in result["quality"].items()}
            num_made += result["made"]
            if "unscored" in result:
                unscored.append({"name": result["name"], "reason": result["unscored"]})
        report = {
            "data": data,
            "fixations": str(fixations_csv),
            "fixations_sha256": sha256_of(fixations_csv),
            "settings": {**asdict(settings), "map_format": map_format},
            "versions": versions(),
            "num_images": len(rows),
            "num_left_out": len(left_out),
            "left_out": left_out,
            "unscored": unscored,
            "quality": write_quality(root, rows, thresholds),
        }
        write_json(root / REPORT_FILE, report)
        if num_made:
            (root / QUALITY_FILE).unlink(missing_ok=True)  # of the maps before
        (root / UNFINISHED_FILE).unlink()
    return report | {"num_made": num_made}


def _begin(root: Path) -> None:
    """Mark the maps as unfinished, so that training refuses them, and remove the report of the maps before."""
    # Half-written files of a killed preparation.
    for folder in (GAZE_FOLDER, *MAP_FOLDERS.values()):
        remove_temporary(root / folder)
    write_text(root / UNFINISHED_FILE, "run.py prepare was stopped; the same command goes on.\n")
    (root / REPORT_FILE).unlink(missing_ok=True)


def prepare_image(
    spec: DatasetSpec,
    root: Path,
    name: str,
    fixations: Fixations,
    settings: GazeSettings,
    thresholds: Sequence[float],
    ending: str,
) -> dict:
    """Write one image's heatmap and CRF map where they are not there already.

    Returns:
        ``name``, and either ``reason`` (no map can be made of its image and fixations; outdated ones of ours
        are removed) or ``made`` (whether any map was), ``quality`` as ``score_image`` gives it, with the ``seconds``
        spent on maps where any was made, and ``unscored``, the reason, where the mask cannot be used.
    """
    # One thread a process: the processes already fill the cores.
    cv2.setNumThreads(1)
    paths = {kind: root / folder / f"{name}{ending}" for kind, folder in MAP_FOLDERS.items()}
    started = time.perf_counter()
    try:
        maps, made = _make_maps(spec, root, name, fixations, settings, paths)
    except ValueError as error:
        for folder in MAP_FOLDERS.values():
            remove_own_maps(root / folder, name)
        foreign = sample_path(spec, root, "map", name).is_file()
        stays = "; its map, which this program did not make, stays, and is learnt from" if foreign else ""
        return {"name": name, "reason": f"{error}{stays}", "broken": True}
    result = {"name": name, "made": made}
    seconds = {"seconds": time.perf_counter() - started} if made else {}
    for path in paths.values():
        remove_other_formats(path)
    try:
        mask, ignore = sample_label(spec, root, name)
        return result | {"quality": score_image(fixations, maps, mask, thresholds, ignore) | seconds}
    except ValueError as error:
        # Masks score maps and have no part in making them.
        return result | {"quality": score_image(fixations, maps, None, thresholds) | seconds, "unscored": str(error)}


def images_to_prepare(spec: DatasetSpec, root: Path, fixations: dict[str, Fixations]) -> tuple[list[str], list[dict]]:
    """Names with both image and fixations, and those left out; ``broken`` marks training ids, which need both.

    Raises:
        FileNotFoundError, ValueError: where there is no image folder, or none of the table's images.
    """
    if not (root / "images").is_dir():
        raise FileNotFoundError(f"{root / 'images'}: expected a folder of images, found none")
    names, left_out = [], []
    listed = dict.fromkeys(io.read_names(root / "train.txt") if (root / "train.txt").is_file() else ())
    similar = similar_files(root / "images")
    for name in fixations:
        path = sample_path(spec, root, "images", name)
        if path.is_file():
            names.append(name)
        else:
            # Where any ending will do, no single file is missing.
            missed = path.name if len(spec.image_exts) == 1 else f"of the id {name} in images/"
            reason = f"no image {missed}{near_miss_hint(name, similar)}"
            left_out.append({"name": name, "reason": reason, "broken": name in listed})
    for kind in ("images", "masks"):
        check_one_file_a_name(spec, root, kind, names)
    if not names:
        raise ValueError(
            f"{root / 'images'}: expected images that the fixation table names, found none of its "
            f"{len(fixations)} (first: {left_out[0]['reason'].removeprefix('no image ')}); "
            "check --root, --data and --fixations"
        )
    similar = {name.casefold(): name for name in fixations}
    for name in listed:
        if name not in fixations:
            # Where the table is prepared in parts, those of another part may have their maps already.
            has_map = sample_path(spec, root, "map", name).is_file()
            stays = "; its map of an earlier table stays, and is learnt from" if has_map else ""
            reason = f"no fixation in the table{near_miss_hint(name, similar)}{stays}"
            left_out.append({"name": name, "reason": reason, "broken": not has_map})
    return names, left_out


def level_thresholds(spec: DatasetSpec, num_levels: int | None) -> list[float]:
    """The thresholds at which maps are scored: 0.1 to 0.9, and those of the levels, in rising order."""
    levels = default_thresholds(spec.end_thresholds, num_levels or len(spec.end_thresholds))
    # Rounded as in the names of the columns.
    return sorted({float(f"{threshold:g}") for threshold in (*THRESHOLDS, *levels)})


def versions() -> dict[str, str | None]:
    """Versions of this code, of Python, and of the packages that decide the maps' values."""
    found = {"code": code_version(), "python": platform.python_version(), **dict.fromkeys(VERSIONED_PACKAGES)}
    for package in VERSIONED_PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _make_maps(
    spec: DatasetSpec, root: Path, name: str, fixations: Fixations, settings: GazeSettings, paths: dict[str, Path]
) -> tuple[dict[str, np.ndarray], bool]:
    """Both maps as saved, and whether any had to be made."""
    image = crf_image(sample_image(spec, root, name))
    size, seen = image.shape[:2], fixations.image_size
    if seen not in (None, size):
        path = sample_path(spec, root, "images", name)
        raise ValueError(
            f"{path}: expected the size that the fixation table gives, {seen[1]}x{seen[0]} (width x height), "
            f"found {size[1]}x{size[0]}; the table may belong to other images"
        )
    xy, duration_ms, sigma_px = fixations.xy, fixations.duration_ms, settings.sigma_px
    heatmap, heatmap_made = reuse_or_make_map(
        paths["heatmap"],
        fingerprint("heatmap", xy, duration_ms, size, sigma_px),
        lambda: to_uint8(fixation_heatmap(xy, duration_ms, size, sigma_px=sigma_px), half=True),
    )
    crf_settings = {name: value for name, value in asdict(settings).items() if name != "sigma_px"}
    # The CRF starts from the heatmap as saved, so that the two folders belong together.
    crf, crf_made = reuse_or_make_map(
        paths["crf"],
        fingerprint("crf", heatmap, image, size, asdict(settings)),
        lambda: to_uint8(refine_with_crf(image, heatmap / np.float32(255), **crf_settings)),
    )
    return {"heatmap": heatmap, "crf": crf}, heatmap_made or crf_made
