"""Synthetic downloads in the archive's form, with simulated gaze: MR series and masks."""

import os
from pathlib import Path

import nrrd
import numpy as np
import pandas as pd
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from datasets.demo.pictures import blob_distance, fixation_rows, make_whole, noise
from datasets.nci_isbi.prepare import REPORT_FILE, prepare_nci
from utils.files import write_json

RECIPE = 1
RAW_FOLDER = "raw"
SIZE_PX = (96, 96)
# Between slices, rows and columns, as in many of the real series.
SPACING_MM = (3.0, 0.6, 0.6)
ORIGIN_MM = (-28.8, -28.8, 30.0)
# Of a case: slices with prostate, at most, and slices before and after them.
SLICES, MARGIN = 6, 2


def make_demo_prostate(root: str | os.PathLike, *, num_train: int, num_test: int, seed: int = 0) -> Path:
    """Make a small prostate-like data set, from downloads that are made first, atomically.

    Args:
        root: the folder to make; see ``datasets.demo.pictures.make_demo_dataset``.
        num_train, num_test: slices in each split, 1 or more, six a case, the last case perhaps fewer.
        seed: of everything drawn.

    Returns:
        ``root``: the downloads in ``raw/``, what ``prepare_nci`` makes of them, and ``fixations.csv``.

    Raises:
        ValueError: where ``root`` holds something else.
    """
    settings = {"data": "prostate", "recipe": RECIPE, "num_train": num_train, "num_test": num_test, "seed": seed}
    make_whole(Path(root), settings, lambda place: _write(place, {"01": num_train, "03": num_test}, seed))
    return Path(root)


def write_slice(path: Path, case: str, number: int, pixels: np.ndarray, **tags) -> None:
    """Write slice ``number``, from 1, of a series, (H,W) in 0..4095; ``tags`` replace the header's, None removes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    header = Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PatientID, header.SeriesInstanceUID = "MR", case, "1.2.3"
    header.InstanceNumber, (header.Rows, header.Columns) = number, pixels.shape
    header.ImagePositionPatient = [*ORIGIN_MM[:2], ORIGIN_MM[2] + SPACING_MM[0] * (number - 1)]
    header.ImageOrientationPatient, header.PixelSpacing = [1, 0, 0, 0, 1, 0], list(SPACING_MM[1:])
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.PixelData = np.asarray(pixels, "<u2").tobytes()
    for tag, value in tags.items():
        setattr(header, tag, value)
        if value is None:
            delattr(header, tag)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, header, enforce_file_format=True)


def _write(root: Path, slices_of_phase: dict[str, int], seed: int) -> None:
    raw, listed, tables = root / RAW_FOLDER, [], []
    # The masks, (X,Y,Z), lie where ``write_slice`` puts the slices.
    header = {"space": "left-posterior-superior", "space origin": np.array(ORIGIN_MM)}
    header["space directions"] = np.diag(SPACING_MM[::-1])
    (raw / "truth").mkdir(parents=True)
    for phase, num_slices in slices_of_phase.items():
        for first in range(0, num_slices, SLICES):
            case = f"Prostate3T-{phase}-{first // SLICES + 1:04d}"
            # One stream a case, so that a slice does not depend on how many others are made.
            rng = np.random.default_rng([seed, int(phase), first])
            images, masks = _volume(min(SLICES, num_slices - first), rng)
            folder = Path("images", case, "t2tsetra")
            for index, number in enumerate(rng.permutation(len(images)) + 1):
                write_slice(raw / folder / f"1-{index + 1:02d}.dcm", case, int(number), images[number - 1])
            nrrd.write(str(raw / "truth" / f"{case}.nrrd"), masks.transpose(2, 1, 0).astype(np.uint8), header)
            row = {"Series UID": "1.2.3", "Subject ID": case, "Number of Images": len(images)}
            listed.append(row | {"File Location": str(folder)})
            tables += [fixation_rows(f"{case}_{n}", mask, rng) for n, mask in enumerate(masks, 1) if mask.any()]
    pd.DataFrame(listed).to_csv(raw / "metadata.csv", index=False)
    # The report names the folder as it will be called.
    write_json(root / REPORT_FILE, prepare_nci(raw, root) | {"raw": RAW_FOLDER})
    pd.concat(tables).to_csv(root / "fixations.csv", index=False)


def _volume(num_slices: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A series (slices,H,W) in 0..4095 and its prostate, bool: an ellipsoid."""
    distance = blob_distance(SIZE_PX, rng.normal(0.5, 0.04, 2), rng)
    along = np.linspace(-0.8, 0.8, num_slices) if num_slices > 1 else np.zeros(1)
    radius = rng.uniform(0.2, 0.28) * np.sqrt(1 - along**2)
    depth = np.pad(1 - distance / radius[:, None, None], ((MARGIN, MARGIN), (0, 0), (0, 0)), constant_values=-1)
    inside = 1 / (1 + np.exp(-np.clip(depth * 20, -30, 30)))
    tissue = np.stack([noise(SIZE_PX, 5, rng) + 0.5 * noise(SIZE_PX, 16, rng) for _ in depth])
    images = 500 + 110 * tissue + rng.uniform(180, 320) * inside + rng.normal(0, 25, depth.shape)
    return np.clip(images, 0, 4095).round(), depth > 0
