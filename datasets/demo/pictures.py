"""Synthetic data set in Kvasir's folder format: endoscopy-like pictures, their masks, and simulated gaze."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy import ndimage

from datasets.demo.viewer import simulate_fixations
from utils.files import named_in_errors, temporary_folder

SETTINGS_FILE = "demo.json"
# Raised whenever the same settings would give other pictures or other gaze.
RECIPE = 2
JPEG_QUALITY = 92
# Share of the image that targets take: median, log-normal spread, smallest and largest, near Kvasir's polyps.
TARGET_AREA = (0.12, 0.75, 0.03, 0.45)
# Mucosa from pale to deep red, as RGB in 0..1.
TISSUE_COLOURS = ((0.80, 0.55, 0.45), (0.78, 0.44, 0.32), (0.68, 0.31, 0.25), (0.80, 0.47, 0.42))
# The target's change of red, green and blue: redder, paler or browner.
TINTS = np.array(((0.05, -0.28, -0.22), (0.08, 0.22, 0.22), (-0.15, -0.24, -0.22), (0.1, 0.05, -0.12)))


def make_demo_dataset(
    root: str | os.PathLike,
    *,
    num_train: int = 240,
    num_test: int = 60,
    image_size: tuple[int, int] = (144, 176),
    seed: int = 0,
) -> Path:
    """Make a small polyp-like data set with a simulated viewer's gaze, whole or not at all.

    Args:
        root: the folder to make; it must not exist, be empty, or hold the demo of the same settings, in which
            case nothing is done.
        num_train, num_test: images in each split, 1 or more.
        image_size: (height, width) in pixels, 32 or more; images differ from it by up to an eighth.
        seed: of everything drawn; the same settings give the same files.

    Returns:
        ``root``, which holds ``images/<id>.jpg`` (RGB), ``masks/<id>.jpg`` (grey, 0 and 255),
        ``train.txt`` and ``test.txt`` (ids, no id in both), ``fixations.csv`` (the columns of the real table,
        all images) and ``demo.json`` (the settings).

    Raises:
        ValueError: where ``root`` holds something else.
    """
    settings = {"num_train": num_train, "num_test": num_test, "image_size": list(image_size), "seed": seed}
    make_whole(Path(root), {"recipe": RECIPE, **settings}, lambda place: _write_dataset(place, **settings))
    return Path(root)


def make_whole(root: Path, settings: dict, write: Callable[[Path], None]) -> None:
    """Make a folder atomically, with its settings in ``demo.json``; does nothing where it was made before.

    ValueError where ``root`` holds something else.
    """
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        _check_settings(root, settings)
        return
    # Links resolved, and "." by its name.
    place = root.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(place) as temporary:
        write(temporary)
        (temporary / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if place.exists():
            # The folder stays: it may be a working folder, or a mount, into which nothing can be renamed.
            for path in sorted(temporary.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
                shutil.move(path, place / path.name)
        else:
            temporary.rename(place)


def _check_settings(root: Path, settings: dict) -> None:
    try:
        found = json.loads((root / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ValueError(
            f"{root}: expected no such folder, an empty one or an earlier demo, found other content; "
            "choose another folder"
        ) from None
    if found != settings:
        raise ValueError(
            f"{root}: expected the demo of the settings {settings}, found one of {found}; "
            "choose another folder, or delete this one first"
        )


def make_demo_image(size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw an endoscopy-like picture with one target, in an eighth of the cases of two parts.

    Args:
        size: (H, W) in pixels, 24 or more each.
        rng: the generator that everything is drawn from.

    Returns:
        image: (H,W,3) uint8, RGB.
        mask: (H,W) bool, true on 3 to 45 % of the pixels.
    """
    depth = _target_depth(size, rng)
    mask = depth > 0
    # Membership of the target, 0..1: soft edges, some softer than others.
    softness = rng.uniform(0.04, 0.16)
    inside = 1 / (1 + np.exp(-np.clip(depth / softness * 3, -30, 30)))
    lumen_xy = rng.uniform((0.1, 0.1), (0.9, 0.9))
    x, y = _grid(size)
    from_lumen = np.hypot(x - lumen_xy[0] * size[1] / size[0], y - lumen_xy[1])
    dome = np.sqrt(np.clip(depth, 0, 1) + 1e-3) * mask  # flattened, with a steep rim
    relief = _folds(from_lumen, rng) + rng.uniform(0.06, 0.16) * dome
    relief += 0.004 * noise(size, 9, rng) + rng.uniform(0.001, 0.0035) * inside * noise(size, 26, rng)
    colour = _tissue(size, inside, rng)
    lit = _darkness(from_lumen, inside, rng)
    colour = (colour * _light(relief, rng)[..., None] + _highlights(relief, rng)[..., None]) * lit[..., None]
    colour = cv2.GaussianBlur(colour, (0, 0), rng.uniform(0.4, 0.9)) * _vignette(size, rng)[..., None]
    colour += rng.normal(0, rng.uniform(0.006, 0.02), colour.shape)
    return np.round(np.clip(colour, 0, 1) * 255).astype(np.uint8), mask


def _write_dataset(root: Path, num_train: int, num_test: int, image_size: tuple[int, int], seed: int) -> None:
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    tables = []
    names = [f"demo{number:04d}" for number in range(num_train + num_test)]
    for number, name in enumerate(names):
        # One stream an image, so that a picture does not depend on how many others are made.
        rng = np.random.default_rng([seed, number])
        size = tuple(round(side * rng.uniform(7 / 8, 9 / 8)) for side in image_size)
        image, mask = make_demo_image(size, rng)
        _write_jpeg(root / "images" / f"{name}.jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        _write_jpeg(root / "masks" / f"{name}.jpg", mask.astype(np.uint8) * 255)
        tables.append(fixation_rows(name, mask, rng))
    for split, members in (("train", names[:num_train]), ("test", names[num_train:])):
        (root / f"{split}.txt").write_text("\n".join(members) + "\n", encoding="utf-8")
    pd.concat(tables).to_csv(root / "fixations.csv", index=False)


def _write_jpeg(path: Path, values: np.ndarray) -> None:
    # OpenCV's own writing gives no reason for a failure.
    _, encoded = cv2.imencode(".jpg", values, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    with named_in_errors(path):
        path.write_bytes(encoded.tobytes())


def fixation_rows(name: str, mask: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Fixation table of simulated gaze on one image, with the real table's columns and units; ``mask`` (H,W) bool."""
    fixations = simulate_fixations(mask, rng=rng)
    count = len(fixations)
    pupil = rng.normal(1700, 350) + rng.normal(0, 60, count)
    return pd.DataFrame(
        {
            "IMAGE": f"{name}.jpg",
            "CURRENT_FIX_INDEX": np.arange(1, count + 1),
            "CURRENT_FIX_X": fixations["x"].round(6),
            "CURRENT_FIX_Y": fixations["y"].round(6),
            "CURRENT_FIX_DURATION": fixations["duration_ms"],
            "CURRENT_FIX_PUPIL": np.clip(pupil, 700, 3200).round().astype(int),
            "CURRENT_FIX_START": fixations["start_ms"],
            "IMAGE_HEIGHT": float(mask.shape[0]),
            "IMAGE_WIDTH": float(mask.shape[1]),
        }
    )


def _target_depth(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H,W): 1 at the target's core, 0 on its outline, negative outside."""
    median, spread, smallest, largest = TARGET_AREA
    area = 0.0
    while not smallest <= area <= largest:
        area = median * np.exp(rng.normal(0, spread))
    centre = np.clip(rng.normal((0.53, 0.5), 0.15), 0.15, 0.85)
    distance = blob_distance(size, centre, rng)
    if rng.uniform() < 0.125:
        apart = rng.uniform(0, 2 * np.pi)
        other = centre + rng.uniform(1.2, 1.7) * np.sqrt(area) * np.array([np.cos(apart), np.sin(apart)])
        distance = np.minimum(distance, blob_distance(size, np.clip(other, 0.1, 0.9), rng) * rng.uniform(1.2, 1.6))
    # Scaled by the quantile that gives the target its area, wherever the image cuts it.
    return 1 - distance / np.quantile(distance, area)


def blob_distance(size: tuple[int, int], centre_xy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W): distance from a point, stretched so that equal distances make a smooth, irregular outline."""
    x, y = _grid(size)
    x, y = x - centre_xy[0] * size[1] / size[0], y - centre_xy[1]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.7) ** 0.5
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    angle = np.arctan2(y * stretch, x / stretch)
    radius = np.ones(size)
    for wave in range(2, 7):
        radius += rng.normal(0, 0.3 / wave**1.6) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return np.hypot(x / stretch, y * stretch) / np.maximum(radius, 0.3)


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(H,W) x and y of the pixel centres in units of the image's height."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (x + 0.5) / size[0], (y + 0.5) / size[0]


def noise(size: tuple[int, int], cells: float, rng: np.random.Generator) -> np.ndarray:
    """(H,W) smooth noise of mean 0 and deviation 1 with about this number of cells along the height."""
    height, width = size
    coarse = rng.normal(size=(round(cells) + 3, round(cells * width / height) + 3))
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / (noise.std() + 1e-6)


def _folds(from_lumen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W) relief of the gut's folds: arcs around the lumen, of uneven height, and a few bumps."""
    size = from_lumen.shape
    distance = from_lumen + 0.07 * noise(size, 2, rng)
    waves = np.sin(2 * np.pi * (rng.uniform(1.5, 3.5) * distance + rng.uniform()))
    ridges = np.exp(2.5 * (waves - 1)) * np.clip(0.6 + 0.6 * noise(size, 2, rng), 0, 1.5)
    return rng.uniform(0.02, 0.07) * ridges + 0.02 * noise(size, 3, rng)


def _tissue(size: tuple[int, int], inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W,3) colour in 0..1 before lighting: mucosa with vessels, patches, and a target of another tint."""
    base = rng.dirichlet(np.full(len(TISSUE_COLOURS), 0.7)) @ np.array(TISSUE_COLOURS)
    base = base * rng.uniform(0.9, 1.1) * rng.normal(1, 0.03, 3)
    colour = base * (1 + 0.07 * noise(size, 3, rng)[..., None] + 0.03 * noise(size, 12, rng)[..., None])
    vessels = np.exp(-((noise(size, 6, rng) / 0.12) ** 2)) * np.clip(noise(size, 2, rng), 0, 1)
    colour *= 1 - rng.uniform(0, 0.35) * ((1 - inside) * vessels)[..., None] * np.array((0.5, 1, 1))
    # The same tint shows faintly elsewhere, so that colour alone does not tell the target.
    tint = TINTS[rng.integers(len(TINTS))] * rng.uniform(0.7, 1.3)
    elsewhere = 0.6 * np.clip(noise(size, 2.5, rng) - 0.9, 0, 1) * (1 - inside)
    colour *= 1 + (inside + elsewhere)[..., None] * tint
    return colour * (1 + rng.uniform(0.04, 0.09) * (inside * noise(size, 22, rng))[..., None])


def _light(relief: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W) brightness of the relief lit from one side, near 1."""
    down, right = np.gradient(ndimage.gaussian_filter(relief, 0.8) * relief.shape[0])
    towards = rng.uniform(0, 2 * np.pi)
    slope = np.cos(towards) * right + np.sin(towards) * down
    return np.clip(1 + 0.28 * np.tanh(slope) - 0.12 * np.tanh(np.hypot(down, right)), 0.2, 1.6)


def _darkness(from_lumen: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W) brightness lost with depth: the lumen is dark, but a target in front of it is lit."""
    distance = from_lumen * (1 + 0.15 * noise(from_lumen.shape, 2, rng))
    hole = rng.uniform(0.2, 0.9) * np.exp(-((distance / rng.uniform(0.12, 0.28)) ** 2))
    return (1 - hole * (1 - 0.85 * inside)) * (1 + 0.08 * noise(from_lumen.shape, 1, rng))


def _highlights(relief: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W) light mirrored where the wet surface happens to face the lamp."""
    down, right = np.gradient(ndimage.gaussian_filter(relief, 1.2) * relief.shape[0])
    facing = rng.normal(0, 0.35, 2)
    miss = (right - facing[0]) ** 2 + (down - facing[1]) ** 2
    wet = np.clip(noise(relief.shape, 7, rng) - 0.6, 0, 1)
    return np.minimum(1.2 * wet * np.exp(-miss / 0.02), 0.8)


def _vignette(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H,W) in 0..1: darker towards the rim, black in the corners that the round lens does not reach."""
    x, y = _grid(size)
    x, y = x / (size[1] / size[0]) * 2 - 1, y * 2 - 1
    rim = (np.abs(x) ** 4 + np.abs(y) ** 4) ** 0.25
    reach = rng.uniform(1.02, 1.25)
    corner = 1 / (1 + np.exp((rim - reach) * 60))
    return corner * (1 - rng.uniform(0.15, 0.45) * np.clip(np.hypot(x, y) / np.sqrt(2), 0, 1) ** 2)
