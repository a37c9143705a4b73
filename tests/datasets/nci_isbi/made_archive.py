"""Made downloads: series whose pixels say which case and slice they are, masks that say the same."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import nrrd
import numpy as np
import pydicom

from datasets.demo import prostate as made

SIZE = (6, 8)  # rows, columns
STEP_MM = 3.0
SPACING_MM = (0.5, 0.75)  # between rows, between columns
HEADER = {
    "space": "left-posterior-superior",
    "space origin": np.array([-10.0, -20.0, 30.0]),
    "space directions": np.diag([0.75, 0.5, STEP_MM]),
}


def write_slice(path: Path, case: str, number: int, **tags) -> None:
    """A slice whose pixels are its number; ``tags`` replace header values, None takes one away."""
    own = {"ImagePositionPatient": [-10, -20, 30 + STEP_MM * (number - 1)], "PixelSpacing": list(SPACING_MM)}
    made.write_slice(path, case, number, np.full(SIZE, number), **own | tags)


def mask_values(num_slices: int, kept) -> np.ndarray:
    """(X,Y,Z) whose slice n, if kept, holds n in binary along an image row: no two slices are alike."""
    values = np.zeros((SIZE[1], SIZE[0], num_slices), np.uint8)
    for number in kept:
        values[:, 1, number - 1] = bits(number)
    return values


def bits(number: int) -> np.ndarray:
    return (number >> np.arange(SIZE[1])) & 1


class MadeArchive:
    """A folder of downloads that grows by the case."""

    def __init__(self, raw: Path):
        self.raw, self.images, self.rows = raw, raw / "download" / "images", []
        self.masks = raw / "truth" / "Training"
        self.masks.mkdir(parents=True)

    def add(self, case: str, num_slices: int, kept, *, header=None, mask_name: str = "", **tags) -> Path:
        """A series under shuffled names that mean nothing, and its mask; returns the series' folder."""
        folder = self.images / case / "1.000000-t2tsetra"
        numbers = list(range(1, num_slices + 1))
        random.Random(case).shuffle(numbers)
        for index, number in enumerate(numbers):
            write_slice(folder / f"1-{index + 1:02d}.dcm", case, number, **tags)
        (folder / "LICENSE").write_text("not an image")
        self.list(case, f".\\images\\{case}\\1.000000-t2tsetra", num_slices)
        self.write_mask(mask_name or f"{case}.nrrd", mask_values(num_slices, kept), header)
        return folder

    def write_mask(self, name: str, values: np.ndarray, header=None) -> Path:
        nrrd.write(str(self.masks / name), values, HEADER if header is None else header)
        return self.masks / name

    def list(self, case: str, location: str, count) -> None:
        self.rows.append({"Series UID": "1.2.3", "Subject ID": case, "Number of Images": count})
        self.rows[-1]["File Location"] = location
        with open(self.raw / "download" / "metadata.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)

    def path_of(self, folder: Path, number: int) -> Path:
        """The file of an InstanceNumber."""
        return next(path for path in folder.glob("*.dcm") if pydicom.dcmread(path).InstanceNumber == number)
