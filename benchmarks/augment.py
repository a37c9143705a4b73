"""Turning, scaling and blurring one image and its mask: OpenCV, torch and torchvision, side by side.

    python benchmarks/augment.py --spatial_size 160

``--to FILE`` appends the printed table. Interior pixels of the three warps are compared, as borders differ by design.
"""

import sys
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transforms

from benchmarks.table import parser, report
from datasets.augment import RandomTransform

ANGLE_DEG, SCALE, BLUR_PX = 20.0, 1.1, 1.0
# Bilinear weights have 5 bits in OpenCV.
TOLERANCE = 0.05


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--spatial_size", type=int, default=160, help="side of the image, pixels")
    options.add_argument("--repeats", type=int, default=200, help="of each; the median is shown")
    args = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.random((args.spatial_size, args.spatial_size, 3), np.float32), (0, 0), 4)
    image = torch.from_numpy(np.ascontiguousarray(smooth.transpose(2, 0, 1)))
    mask = (image[:1] > image[:1].mean()).float()
    expected = with_opencv(image, mask)[0]
    took = {}
    for name, way in {"OpenCV": with_opencv, "torch": with_torch, "torchvision v2": with_torchvision}.items():
        check_equal(name, way(image, mask)[0], expected)
        took[name] = milliseconds(lambda way=way: way(image, mask), args.repeats)
    rows = [
        {"library": name, "ms a sample": f"{ms:.2f}", "time": f"{ms / took['OpenCV']:.1f}"} for name, ms in took.items()
    ]
    note = f"Three channels and one mask, {args.spatial_size}x{args.spatial_size}, one thread."
    report("Augmentation", rows, [note], ("torch", "torchvision", "opencv-python-headless"), args.to)


def with_opencv(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As the training loader does it."""
    drawn = RandomTransform(_matrix(image.shape[-1]), np.ones(len(image), np.float32), 1.0, BLUR_PX)
    return drawn.apply_to_image(image), drawn.apply_to_mask(mask)


def with_torch(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """``affine_grid`` and ``grid_sample``, and torchvision's blur."""
    inverse = np.linalg.inv(np.vstack([_matrix(image.shape[-1]), [0, 0, 1]]))[:2, :2]
    theta = torch.tensor(np.column_stack([inverse, [0, 0]]), dtype=torch.float32)[None]

    def moved(x: torch.Tensor) -> torch.Tensor:
        grid = F.affine_grid(theta, [1, *x.shape], align_corners=False)
        return F.grid_sample(x[None], grid, padding_mode="reflection", align_corners=False)[0]

    return _blurred_and_cut(moved(image), moved(mask))


def with_torchvision(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Its second version of transforms."""
    settings = {"angle": ANGLE_DEG, "translate": [0, 0], "scale": SCALE, "shear": [0.0, 0.0]}
    moved = partial(transforms.affine, **settings, interpolation=v2.InterpolationMode.BILINEAR)
    return _blurred_and_cut(moved(image), moved(mask))


def _blurred_and_cut(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return transforms.gaussian_blur(image, [7, 7], [BLUR_PX] * 2), (mask >= 0.5).float()


def check_equal(name: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Raise RuntimeError where the middles of two images differ."""
    edge = expected.shape[-1] // 4
    difference = float((found - expected)[:, edge:-edge, edge:-edge].abs().max())
    if difference > TOLERANCE:
        raise RuntimeError(f"{name}: expected the same image as OpenCV's, found {difference:.3f} between them")


def milliseconds(way: Callable[[], object], repeats: int) -> float:
    """The median time of a call, after some to warm up."""
    return 1e3 * float(np.median(timeit.repeat(way, number=1, repeat=repeats + 5)[5:]))


def _matrix(size: int) -> np.ndarray:
    """Of the turn about the middle of the image."""
    angle, middle = np.deg2rad(ANGLE_DEG), np.full(2, (size - 1) / 2)
    turn = SCALE * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, middle - turn @ middle])


if __name__ == "__main__":
    main()
