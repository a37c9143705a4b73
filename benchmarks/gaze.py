"""Gaze preparation against the formulas as they are published: equal results, side by side in one run.

    python benchmarks/gaze.py heatmap --fixations CSV --sigma_px 70
    python benchmarks/gaze.py crf     --data kvasir --root ROOT --fixations CSV --images 100
    python benchmarks/gaze.py shortcut --data kvasir --root ROOT --fixations CSV --images 40
    python benchmarks/gaze.py prepare --data kvasir --root ROOT --fixations CSV --images 100 --workers 2

Nothing is written into ROOT: preparations go to a temporary folder. ``--to FILE`` appends the printed table.
"""

import argparse
import functools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# One core: the two ways differ in how much they do, not in how many do it. NumPy reads this when it is imported.
os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from benchmarks.table import parser, report
from datasets import get_spec, io
from datasets.files import sample_image, sample_label
from datasets.gaze.crf import crf_image, refine_with_crf
from datasets.gaze.fixations import Fixations, read_fixations
from datasets.gaze.heatmap import CANVAS_PX, TRUNCATE_SIGMAS, fixation_heatmap, to_uint8
from datasets.gaze.map_files import MAP_FOLDERS
from datasets.gaze.prepare import prepare_gaze
from datasets.gaze.quality import dice_over_thresholds
from utils.images import write_image
from utils.parallel import map_in_processes

PACKAGES = ("numpy", "scipy", "opencv-python-headless", "numba")
DIRECT = "direct formula"


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(1)
    title, rows, notes = BENCHMARKS[args.what](args)
    report(title, rows, notes, PACKAGES, args.to)


def parse_args() -> argparse.Namespace:
    options = parser(__doc__, data="kvasir", workers=2)
    options.add_argument("what", choices=tuple(BENCHMARKS))
    options.add_argument("--fixations", required=True, help="fixation table; for heatmap with the image sizes")
    options.add_argument("--root", help="for all but heatmap")
    options.add_argument("--sigma_px", type=float, default=None)
    options.add_argument("--images", type=int, default=None, help="how many, evenly spread; all by default")
    options.add_argument("--skip_direct", action="store_true", help="prepare: leave the direct formulas out")
    args = options.parse_args()
    if args.what != "heatmap" and not args.root:
        options.error(f"{args.what}: expected --root")
    return args


def heatmap(args: argparse.Namespace) -> tuple[str, list[dict], list[str]]:
    """Time of both ways on every image, and their difference at 8 bits."""
    sigma_px = args.sigma_px or get_spec(args.data, args.root).sigma_px
    fixations = spread(read_fixations(args.fixations), args.images)
    seconds: dict[str, float] = {}
    found = []
    # The one-dimensional responses are made once for all images; they count as the first image's.
    for seen in tqdm(fixations.values(), desc="heatmap", disable=None):
        size = seen.image_size
        if size is None:
            raise SystemExit("heatmap: expected image sizes in the fixation table, found none")
        direct = timed(seconds, DIRECT, direct_heatmap, seen, size, sigma_px)
        ours = timed(seconds, "ours", fixation_heatmap, seen.xy, seen.duration_ms, size, sigma_px=sigma_px)
        difference = np.abs(to_uint8(direct, half=True).astype(int) - to_uint8(ours, half=True).astype(int))
        found.append((difference.size, np.count_nonzero(difference), difference.max()))
    pixels, differing, largest = np.array(found).T
    note = (
        f"Of {pixels.sum():,} pixels in {len(fixations)} maps, {differing.sum():,} in {np.count_nonzero(differing)} "
        f"maps differ at 8 bits, by at most {largest.max()}/255."
    )
    return f"Heatmaps, sigma {sigma_px:g}", compared(seconds, len(fixations)), [note]


def crf(args: argparse.Namespace) -> tuple[str, list[dict], list[str]]:
    """Time of both CRF engines on the same heatmaps, and their difference."""
    seconds: dict[str, float] = {}
    found = []
    for _, image, heat in heatmaps(args):
        direct = timed(seconds, "pydensecrf2", refine_with_crf, image, heat, engine="pydensecrf")
        ours = timed(seconds, "ours", refine_with_crf, image, heat)
        found.append((ours.size, np.count_nonzero(direct != ours)))
    pixels, differing = np.array(found).sum(axis=0)
    note = f"Of {pixels:,} float32 values in {len(found)} maps, {differing:,} differ in any bit."
    return "CRF, 10 iterations", compared(seconds, len(found)), [note]


def shortcut(args: argparse.Namespace) -> tuple[str, list[dict], list[str]]:
    """What fewer iterations than ten save and cost."""
    spec = get_spec(args.data, args.root)
    seconds: dict[int, float] = {}
    errors: dict[int, list[tuple[float, int, float]]] = {}
    for name, image, heat in heatmaps(args):
        mask = sample_label(spec, Path(args.root), name).mask
        maps = {i: to_uint8(timed(seconds, i, refine_with_crf, image, heat, iterations=i)) for i in (10, 7, 5, 3)}
        scores = {i: dice_over_thresholds(values, mask, [0.5])[0] for i, values in maps.items()}
        for i, values in maps.items():
            difference = np.abs(values.astype(int) - maps[10].astype(int))
            errors.setdefault(i, []).append((difference.mean(), difference.max(), abs(scores[i] - scores[10])))
    rows = []
    for i, found in errors.items():
        mean, largest, change = np.array(found).T
        rows.append(
            {
                "iterations": i,
                "images": len(found),
                "ms an image": f"{seconds[i] / len(found) * 1000:.1f}",
                "mean difference, grey values": f"{mean.mean():.3f}",
                "largest": int(largest.max()),
                "largest change of Dice at 0.5": f"{change.max():.4f}",
            }
        )
    return "CRF, fewer iterations (--crf_iterations)", rows, []


def prepare(args: argparse.Namespace) -> tuple[str, list[dict], list[str]]:
    """Wall-clock time of a whole preparation, files included, of the second call, and of the direct formulas."""
    spec, seconds = get_spec(args.data, args.root), {}
    fixations = spread(read_fixations(args.fixations), args.images)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in ("images", "masks"):
            (root / part).symlink_to((Path(args.root) / part).resolve())
        table = table_of(args.fixations, root / "fixations.csv", set(fixations))
        # Starts the processes, so that neither way is the one that waits for them.
        list(map_in_processes(warm_up, [(i, not args.skip_direct) for i in range(4 * args.workers)], args.workers))
        if not args.skip_direct:
            items = [(spec, Path(args.root), root / "direct", name, seen) for name, seen in fixations.items()]
            direct = map_in_processes(direct_preparation, items, args.workers)
            timed(seconds, DIRECT, list, tqdm(direct, total=len(items), desc="direct", disable=None))
            shutil.rmtree(root / "direct")
        bar = functools.partial(tqdm, desc="ours", disable=None)
        for way in ("ours", "ours, second call"):
            timed(seconds, way, prepare_gaze, args.data, root, table, workers=args.workers, progress=bar)
    return f"Whole preparation, {args.workers} processes", compared(seconds, len(fixations)), []


def heatmaps(args: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What a CRF is given for each image: its name, the image (H,W,3) uint8 and the heatmap (H,W) float32 in 0..1."""
    spec, root = get_spec(args.data, args.root), Path(args.root)
    fixations = spread(read_fixations(args.fixations), args.images)
    refine_with_crf(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)))  # compiled here, not on the first image
    for name, seen in tqdm(fixations.items(), desc=args.what, disable=None):
        image = crf_image(sample_image(spec, root, name))
        heat = fixation_heatmap(seen.xy, seen.duration_ms, image.shape[:2], sigma_px=spec.sigma_px)
        yield name, image, to_uint8(heat, half=True) / np.float32(255)


def direct_heatmap(seen: Fixations, size: tuple[int, int], sigma_px: float) -> np.ndarray:
    """The formula as published: a filter over the whole canvas."""
    canvas = np.zeros((CANVAS_PX, CANVAS_PX))
    columns, rows = np.clip(np.round(seen.xy * CANVAS_PX).astype(int) - 1, 0, CANVAS_PX - 1).T
    np.add.at(canvas, (rows, columns), seen.duration_ms)
    canvas = gaussian_filter(canvas, sigma_px, mode="reflect", truncate=TRUNCATE_SIGMAS)
    canvas = ((canvas - canvas.min()) / (canvas.max() - canvas.min())).astype(np.float32)
    return cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def direct_preparation(spec, root: Path, folder: Path, name: str, seen: Fixations) -> None:
    """Both maps of an image by the published formulas and the package pydensecrf2, written."""
    cv2.setNumThreads(1)
    image = crf_image(sample_image(spec, root, name))
    heat = to_uint8(direct_heatmap(seen, image.shape[:2], spec.sigma_px), half=True)
    path = folder / MAP_FOLDERS["heatmap"] / f"{name}{spec.map_ext}"
    write_image(path, heat)
    refined = refine_with_crf(image, io.read_map(path), engine="pydensecrf")
    write_image(folder / MAP_FOLDERS["crf"] / f"{name}{spec.map_ext}", to_uint8(refined))


def warm_up(number: int, direct: bool) -> None:
    """Compile in this process, and load the package that the direct formulas need."""
    for engine in ("compiled", "pydensecrf")[: 1 + direct]:
        refine_with_crf(np.full((4, 4, 3), number, np.uint8), np.zeros((4, 4)), engine=engine)


def spread(fixations: dict[str, Fixations], number: int | None) -> dict[str, Fixations]:
    """``number`` images evenly spread over the table, or all."""
    names = list(fixations)
    chosen = np.unique(np.linspace(0, len(names) - 1, min(number or len(names), len(names))).astype(int))
    return {names[i]: fixations[names[i]] for i in chosen}


def table_of(source: str, target: Path, names: set[str]) -> Path:
    """The rows of a fixation table that belong to some images."""
    lines = Path(source).read_text(encoding="utf-8-sig").splitlines()
    kept = [line for line in lines[1:] if Path(line.split(",")[0]).stem in names]
    target.write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    return target


def timed(seconds: dict, key, function: Callable, *arguments, **options):
    """The result of a call, whose time is added to ``seconds[key]``."""
    started = time.perf_counter()
    result = function(*arguments, **options)
    seconds[key] = seconds.get(key, 0.0) + time.perf_counter() - started
    return result


def compared(seconds: dict[str, float], number: int) -> list[dict]:
    """A row a way: time, time an image, and how many times as fast as the first."""
    first = next(iter(seconds.values()))
    return [
        {
            "way": way,
            "images": number,
            "seconds": f"{value:.1f}",
            "ms an image": f"{value / number * 1000:.1f}",
            "times as fast": f"{first / value:.1f}",
        }
        for way, value in seconds.items()
    ]


BENCHMARKS = {"heatmap": heatmap, "crf": crf, "shortcut": shortcut, "prepare": prepare}

if __name__ == "__main__":
    main()
