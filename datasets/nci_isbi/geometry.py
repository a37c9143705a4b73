"""Voxel geometry of a series in the patient, and its comparison with a mask's NRRD header."""

from dataclasses import dataclass

import numpy as np

# Factors that turn the axes of an NRRD space into DICOM's: left, posterior, superior.
SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
# Compare a mask's header with its series, or pair slices by number alone.
MASK_GEOMETRY = ("check", "ignore")
UNIT_TOLERANCE = 1e-3
# Relative to the distance between slices; generous, as scanners write positions with many digits.
EVEN_TOLERANCE = 0.05


@dataclass(frozen=True)
class Grid:
    """Voxel grid: (column, row, slice) lies at ``origin_mm + (column, row, slice) @ axes_mm``, in DICOM's axes.

    Attributes:
        origin_mm: (3,), centre of the first voxel.
        axes_mm: (3,3), a row for a step to the next column, row and slice; the last is NaN for a single slice.
        shape: (columns, rows, slices).
    """

    origin_mm: np.ndarray
    axes_mm: np.ndarray
    shape: tuple[int, int, int]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Spacing between slices, rows and columns, the order of an array's axes."""
        columns, rows, slices = (float(length) for length in np.linalg.norm(self.axes_mm, axis=1))
        return slices, rows, columns


def grid_of_slices(
    positions_mm: np.ndarray, orientations: np.ndarray, spacings_mm: np.ndarray, size: tuple[int, int]
) -> Grid:
    """Grid of a series of slices in their order.

    Args:
        positions_mm: (N,3) ImagePositionPatient.
        orientations: (N,6) ImageOrientationPatient: direction along a row, then along a column.
        spacings_mm: (N,2) PixelSpacing: between rows, then between columns.
        size: (rows, columns).

    Raises:
        ValueError: if slices are not parallel and alike, or not one behind the other at even distances.
    """
    for name, values in (("ImageOrientationPatient", orientations), ("PixelSpacing", spacings_mm)):
        if np.abs(values - values[0]).max() > UNIT_TOLERANCE:
            raise ValueError(f"expected one {name} in a series, found different ones")
    along_row, along_column = orientations[0, :3], orientations[0, 3:]
    products = np.array([along_row @ along_row, along_column @ along_column, along_row @ along_column])
    if np.abs(products - (1, 1, 0)).max() > UNIT_TOLERANCE or spacings_mm[0].min() <= 0:
        raise ValueError(
            "expected ImageOrientationPatient of two unit vectors at right angles and PixelSpacing above 0, "
            f"found {orientations[0].tolist()} and {spacings_mm[0].tolist()}"
        )
    step = _even_step(positions_mm, np.cross(along_row, along_column))
    axes = np.stack([along_row * spacings_mm[0, 1], along_column * spacings_mm[0, 0], step])
    return Grid(positions_mm[0], axes, (size[1], size[0], len(positions_mm)))


def compare_with_header(grid: Grid, header: dict) -> list[str]:
    """Compare a mask's NRRD header with its series; both must have the grid's shape.

    Compared are distances unless all are 1, an origin unless it is 0, and directions unless they are the default of
    writers, a positive diagonal. Where such a diagonal runs along the series' own rows and columns, it is compared if
    there is an origin; in an oblique series the origin alone is. Without a known ``space`` the header may agree in any
    of DICOM's and Slicer's axes.

    Returns:
        What was compared: any of ``directions``, ``origin`` and ``distances``.

    Raises:
        ValueError: for a contradiction of more than a pixel within a slice or half the distance between slices
            at the far end of the volume; that includes slices in reverse.
    """
    directions, origin = _finite(header, "space directions", (3, 3)), _finite(header, "space origin", (3,))
    lengths = _finite(header, "spacings", (3,)) if directions is None else np.linalg.norm(directions, axis=1)
    if lengths is not None and np.allclose(lengths, 1):
        lengths = None
    if origin is not None and not origin.any():
        origin = None
    if lengths is not None and _too_far(grid, np.abs(lengths - grid.spacing_mm[::-1])).any():
        raise ValueError(
            f"expected the series' distances between columns, rows and slices of {_text(grid.spacing_mm[::-1])} "
            f"mm, found {_text(lengths)} mm in the mask's header"
        )
    space = SPACES.get(str(header.get("space", "")).lower())
    contradictions = []
    for factors in [space] if space else dict.fromkeys(SPACES.values()):
        try:
            carried = _compare(grid, directions, origin, factors)
        except ValueError as error:
            contradictions.append(error)
        else:
            return carried + ["distances"] * (lengths is not None)
    raise contradictions[0]


def _even_step(positions_mm: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The step (3,) from slice to slice."""
    if len(positions_mm) == 1:
        return np.full(3, np.nan)
    steps_mm = np.diff(positions_mm @ normal)
    if not (np.all(steps_mm > 0) or np.all(steps_mm < 0)):
        wrong = 1 + int(np.argmax(np.sign(steps_mm) != np.sign(np.median(steps_mm))))
        raise ValueError(
            "expected positions that follow InstanceNumber along the slices' normal, found a turn between "
            f"{wrong} and {wrong + 1}"
        )
    step = (positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1)
    off_mm = np.linalg.norm(np.diff(positions_mm, axis=0) - step, axis=1)
    if off_mm.max() > EVEN_TOLERANCE * np.linalg.norm(step):
        worst = 1 + int(off_mm.argmax())
        raise ValueError(
            f"expected slices at even distances of about {np.linalg.norm(step):.3g} mm, found "
            f"{abs(steps_mm[worst - 1]):.3g} mm between {worst} and {worst + 1}"
        )
    return step


def _compare(grid: Grid, directions, origin, factors: tuple[int, int, int]) -> list[str]:
    """What was compared of a header in one space; ValueError for a contradiction."""
    axes = None if directions is None else directions * factors
    if axes is not None and _is_default(directions) and (origin is None or _differing_axes(grid, axes)[:2].any()):
        axes = None
    if axes is not None and _differing_axes(grid, axes).any():
        if not _differing_axes(grid, axes * np.array([[1], [1], [-1]])).any():
            raise ValueError(
                "expected the mask's slices in the order of InstanceNumber, found them in reverse by its header"
            )
        raise ValueError(
            "expected the mask's columns, rows and slices along those of the series, "
            f"{'; '.join(map(_text, grid.axes_mm))} mm, found {'; '.join(map(_text, axes))} mm"
        )
    if origin is not None:
        _check_origin(grid, origin * factors)
    return ["directions"] * (axes is not None) + ["origin"] * (origin is not None)


def _is_default(directions: np.ndarray) -> bool:
    diagonal = np.diag(directions)
    return bool((diagonal > 0).all() and np.allclose(directions, np.diag(diagonal)))


def _differing_axes(grid: Grid, axes: np.ndarray) -> np.ndarray:
    """(3,) bool: axes that end elsewhere than the grid's; never the last one of a single slice."""
    return _too_far(grid, np.linalg.norm(axes - grid.axes_mm, axis=1))


def _too_far(grid: Grid, off_mm: np.ndarray) -> np.ndarray:
    """(3,) bool: where steps that differ by so much exceed the tolerance at the far end of the volume."""
    slices, rows, columns = grid.spacing_mm
    return off_mm * (np.array(grid.shape) - 1) > (columns, rows, slices / 2)


def _check_origin(grid: Grid, origin: np.ndarray) -> None:
    last = grid.origin_mm + grid.axes_mm[2] * (grid.shape[2] - 1)
    a_pixel = np.linalg.norm(grid.axes_mm[0])
    if np.linalg.norm(origin - grid.origin_mm) > a_pixel:
        reverse = np.linalg.norm(origin - last) <= a_pixel
        raise ValueError(
            f"expected the mask to start at the first slice, {_text(grid.origin_mm)} mm, found {_text(origin)} mm in "
            f"its header{', which is the last slice: they run in reverse' if reverse else ''}"
        )


def _finite(header: dict, field: str, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        values = np.asarray(header.get(field), float)
    except (TypeError, ValueError):
        return None
    return values if values.shape == shape and np.isfinite(values).all() else None


def _text(values) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"
