"""Quality assessment of existing gaze maps against masks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from datasets import io
from datasets.files import check_finished, check_one_file_a_name, find_file, sample_label
from datasets.gaze.fixations import Fixations, read_fixations
from datasets.gaze.map_files import GAZE_FOLDER, MAP_FOLDERS, read_labels, why_missing
from datasets.gaze.prepare import images_to_prepare, level_thresholds
from datasets.gaze.quality import QUALITY_FILE, score_image, write_quality
from datasets.specs import DatasetSpec, get_spec
from utils.files import write_json
from utils.locks import lock_folder
from utils.parallel import map_in_processes


def assess_gaze(
    data: str,
    root: str | Path,
    fixations_csv: str | Path,
    *,
    num_levels: int | None = None,
    map_folder: str | Path | None = None,
    workers: int = -1,
    progress: Callable = lambda results, total: results,
) -> dict:
    """Score every image's fixations and maps against its mask; write ``gaze/per_image.csv`` and ``gaze/quality.json``.

    Args: as ``prepare_gaze`` takes them. Times an image, where an earlier preparation left them, are kept.
        map_folder: maps of a round, PNG files of any size, scored in place of the data folder's CRF maps, except
            masks that the round was given; the two files are then written beside it.

    Returns:
        What is written: ``num_images``, ``without_map`` (by kind of map, the number of images that have none),
        ``left_out`` with reasons, and ``quality`` as ``summarize`` gives it.

    Raises:
        FileNotFoundError, ValueError: for a table or data folder that is not as described, or without maps.
    """
    spec, root = get_spec(data, root), Path(root).resolve()
    fixations = read_fixations(fixations_csv)
    names, left_out = images_to_prepare(spec, root, fixations)
    thresholds = level_thresholds(spec, num_levels)
    own_maps = None if map_folder is None else Path(map_folder).resolve()
    if own_maps is None:
        check_finished(root)
        for kind in ("heatmap", "map"):
            check_one_file_a_name(spec, root, kind, names)
    else:
        there = [name for name in names if (own_maps / f"{name}.png").is_file()]
        if not there:
            raise ValueError(f"{own_maps}: expected maps, <id>.png, of images with fixations, found none")
        given = set((read_labels(own_maps.parent) or {}).get("masks", ())).intersection(there)
        reason = "its map is the mask that was given"
        left_out += [{"name": name, "reason": reason, "broken": False} for name in sorted(given)]
        names = [name for name in there if name not in given]
    items = ((spec, root, name, fixations[name], thresholds, own_maps) for name in names)
    results = list(progress(map_in_processes(assess_image, items, workers), total=len(names)))
    left_out += [result for result in results if "reason" in result]
    done = [result for result in results if "reason" not in result]
    without = {kind: sum(kind not in result["maps"] for result in done) for kind in MAP_FOLDERS}
    if done and all(count == len(done) for count in without.values()):
        raise ValueError(
            f"{root / GAZE_FOLDER}: expected gaze maps, found none of {len(done)} images; "
            + why_missing(spec, root, [result["name"] for result in done], fixations_csv)
        )
    out = root if own_maps is None else own_maps.parent
    with lock_folder(out / GAZE_FOLDER, "an assessment"):
        report = {
            "data": data,
            "fixations": str(fixations_csv),
            "num_images": len(done),
            "without_map": without,
            "num_left_out": len(left_out),
            "left_out": left_out,
            "quality": write_quality(out, {result["name"]: result["quality"] for result in done}, thresholds),
        }
        write_json(out / QUALITY_FILE, report)
    return report


def assess_image(
    spec: DatasetSpec,
    root: Path,
    name: str,
    fixations: Fixations,
    thresholds: Sequence[float],
    own_maps: Path | None,
) -> dict:
    """Score one image: ``name`` with ``maps`` (the kinds found) and ``quality``, or with the ``reason`` why not."""
    try:
        paths = {kind: find_file(root / folder, name, spec.map_exts) for kind, folder in MAP_FOLDERS.items()}
        if own_maps is not None:
            paths["crf"] = own_maps / f"{name}.png"
        maps = {kind: io.read_gray(path) for kind, path in paths.items() if path.is_file()}
        mask, ignore = sample_label(spec, root, name)
        if own_maps is not None and mask is not None:
            maps["crf"] = cv2.resize(maps["crf"], mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return {"name": name, "maps": list(maps), "quality": score_image(fixations, maps, mask, thresholds, ignore)}
    except ValueError as error:
        return {"name": name, "reason": str(error), "broken": True}
