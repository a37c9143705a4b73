"""Shared fixtures: the golden answers, seeded weights, and two tiny data sets in the folder format."""

from __future__ import annotations

import importlib.util
import os
import signal
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

REPOSITORY = Path(__file__).resolve().parents[1]

# (height, width), cycled through: evaluation has to cope with labels of different sizes.
KVASIR_SIZES = ((40, 48), (42, 46), (38, 50))
KVASIR_TRAIN = ("polyp1", "polyp2", "polyp3", "polyp4", "polyp5", "polyp6")
KVASIR_TEST = ("polyp7", "polyp8", "polyp9")
PROSTATE_SIZES = ((32, 32), (36, 36))
# 5, 15 and 25 of one case: a file must not be found by the end of its name.
PROSTATE_TRAIN = ("caseA_5", "caseA_15", "caseA_25", "caseB_5", "caseB_6", "caseC_1")
PROSTATE_TEST = ("caseD_5", "caseD_15", "caseE_2")


def pytest_configure() -> None:
    # A shell has what it starts in the background ignore Ctrl-C, which tests of stopping send.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder with the reference's answers; see GAZEMEDSEG_SHARED."""
    folder = _shared_folder() / "golden"
    if not folder.is_dir():
        pytest.skip(f"no golden answers at {folder}; set GAZEMEDSEG_SHARED to the folder that holds golden/")
    return folder


@pytest.fixture(scope="session")
def kvasir_fixation_table() -> Path:
    """The real fixation table of Kvasir-SEG."""
    name = Path("GazeMedSeg", "kvasir_fixation.csv")
    places = (REPOSITORY / name, _shared_folder() / "data" / name)
    for place in places:
        if place.is_file():
            return place
    pytest.skip(f"no fixation table at {places[0]} or {places[1]}")


@pytest.fixture(scope="session")
def kvasir_root() -> Path:
    """The real Kvasir-SEG, images and masks; only to be read."""
    places = (REPOSITORY / "data" / "kvasir", _shared_folder() / "data" / "Kvasir-SEG")
    for place in places:
        if (place / "masks").is_dir():
            return place
    pytest.skip(f"no Kvasir-SEG at {places[0]} or {places[1]}")


@pytest.fixture
def original_crf() -> None:
    """For tests that compare with it: set-up leaves it out where there is no C++ compiler."""
    pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")


@pytest.fixture
def seeded_weights() -> Callable[[torch.nn.Module], torch.nn.Module]:
    """A function that fills a model's state dict in place, each entry from its own key, and returns the model."""
    return _fill_with_seeded_weights


@pytest.fixture
def tiny_root(tmp_path: Path) -> Path:
    """Six training and three test images in the format of Kvasir, with masks, CRF maps and fixations.csv."""
    return _make_kvasir_root(tmp_path / "kvasir")


@pytest.fixture(scope="session")
def make_tiny_root() -> Callable[[Path], Path]:
    """A function that makes a folder as ``tiny_root`` is."""
    return _make_kvasir_root


@pytest.fixture
def tiny_prostate_root(tmp_path: Path) -> Path:
    """Six training slices of three cases and three test slices of two, with masks, CRF maps and fixations.csv."""
    return _make_prostate_root(tmp_path / "prostate")


@pytest.fixture
def tiny_nci_downloads(tmp_path: Path) -> Path:
    """Downloads as the archive delivers them: a training case of 12 slices and a test case of 9, with masks."""
    path = REPOSITORY / "tests" / "datasets" / "nci_isbi" / "made_archive.py"
    spec = importlib.util.spec_from_file_location("made_archive", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    archive = made.MadeArchive(tmp_path / "raw")
    archive.add("Prostate3T-01-0001", 12, range(3, 9))
    archive.add("ProstateDx-03-0002", 9, [5, 6])
    return archive.raw


@pytest.fixture
def write_dicom() -> Callable[[Path, np.ndarray], None]:
    """A function that writes (H,W) or (frames,H,W) uint16 as an uncompressed grey DICOM file."""
    return _write_dicom


def _make_kvasir_root(root: Path) -> Path:
    names = (*KVASIR_TRAIN, *KVASIR_TEST)
    _make_folders(root)
    _write_splits(root, KVASIR_TRAIN, KVASIR_TEST)
    tables = []
    for index, name in enumerate(names):
        rng = np.random.default_rng(index)
        distance, centre = _blob(KVASIR_SIZES[index % len(KVASIR_SIZES)], rng)
        mask = (distance < 1).astype(np.uint8) * 255
        noise = rng.normal(0, 12, (*mask.shape, 3))
        colour = np.where(mask[..., None] > 0, (190, 90, 70), (120, 50, 60)) + noise
        _save(root / "images" / f"{name}.jpg", colour.clip(0, 255).astype(np.uint8))
        _save(root / "masks" / f"{name}.jpg", mask)
        _save(root / "gaze" / "crf_compat1" / f"{name}.jpg", _gaze_map(distance))
        tables.append(_fixation_rows(name, centre, mask.shape, rng))
    pd.concat(tables).to_csv(root / "fixations.csv", index=False)
    return root


def _make_prostate_root(root: Path) -> Path:
    names = (*PROSTATE_TRAIN, *PROSTATE_TEST)
    _make_folders(root)
    _write_splits(root, PROSTATE_TRAIN, PROSTATE_TEST)
    tables = []
    for index, name in enumerate(names):
        rng = np.random.default_rng(100 + index)
        distance, centre = _blob(PROSTATE_SIZES[index % len(PROSTATE_SIZES)], rng)
        mask = (distance < 1).astype(np.uint8) * 255
        values = (200 + 300 * (mask > 0) + rng.normal(0, 30, mask.shape)).clip(0, 4095)
        _write_dicom(root / "images" / f"{name}.dcm", values.astype(np.uint16))
        _save(root / "masks" / f"{name}.png", mask)
        # As in the real set, gaze exists for the training slices alone.
        if name in PROSTATE_TRAIN:
            _save(root / "gaze" / "crf_compat1" / f"{name}.png", _gaze_map(distance))
            tables.append(_fixation_rows(name, centre, mask.shape, rng))
    pd.concat(tables).to_csv(root / "fixations.csv", index=False)
    return root


def _write_dicom(path: Path, values: np.ndarray) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slice_ = Dataset()
    slice_.file_meta = meta
    slice_.SOPClassUID, slice_.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    slice_.Modality, slice_.PatientID = "MR", path.stem
    if values.ndim == 3:
        slice_.NumberOfFrames = len(values)
    slice_.Rows, slice_.Columns = values.shape[-2:]
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 12, 11, 0
    slice_.PixelData = values.astype("<u2").tobytes()
    pydicom.dcmwrite(path, slice_, enforce_file_format=True)


def _shared_folder() -> Path:
    return Path(os.environ.get("GAZEMEDSEG_SHARED") or REPOSITORY.parent / "shared")


def _fill_with_seeded_weights(model: torch.nn.Module) -> torch.nn.Module:
    weights = {}
    for key, value in model.state_dict().items():
        shape = tuple(value.shape)
        if len(shape) == 4:
            rng = np.random.RandomState(zlib.crc32(key.encode()) % 2**32)
            filled = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        else:
            filled = np.ones(shape) if key.endswith("weight") else np.zeros(shape)
        weights[key] = torch.from_numpy(filled.astype(np.float32))
    model.load_state_dict(weights)
    return model


def _make_folders(root: Path) -> None:
    for folder in ("images", "masks", "gaze/crf_compat1"):
        (root / folder).mkdir(parents=True)


def _write_splits(root: Path, train: tuple[str, ...], test: tuple[str, ...]) -> None:
    (root / "train.txt").write_text("\n".join(train) + "\n")
    (root / "test.txt").write_text("\n".join(test) + "\n")


def _blob(size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float]]:
    """Distance from an ellipse's centre in units of its radius, (H,W), and the centre (x, y) in 0..1."""
    height, width = size
    x, y = rng.uniform(0.35, 0.65, 2)
    radius_x, radius_y = rng.uniform(0.18, 0.28, 2)
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(((columns + 0.5) / width - x) / radius_x, ((rows + 0.5) / height - y) / radius_y), (x, y)


def _gaze_map(distance: np.ndarray) -> np.ndarray:
    """1 at the centre, 0.5 at 0.8 radii, 0.3 near the rim: every default level gets a mask of its own."""
    return (np.exp2(-((distance / 0.8) ** 2)) * 255).astype(np.uint8)


def _fixation_rows(name: str, centre: tuple[float, float], size: tuple[int, int], rng: np.random.Generator):
    count = 5
    xy = np.clip(rng.normal(centre, 0.06, (count, 2)), 0.01, 0.99)
    duration_ms = rng.integers(50, 500, count)
    return pd.DataFrame(
        {
            "IMAGE": f"{name}.jpg",
            "CURRENT_FIX_INDEX": np.arange(1, count + 1),
            "CURRENT_FIX_X": xy[:, 0],
            "CURRENT_FIX_Y": xy[:, 1],
            "CURRENT_FIX_DURATION": duration_ms,
            "CURRENT_FIX_PUPIL": 2000,
            "CURRENT_FIX_START": np.cumsum(duration_ms) - duration_ms,
            "IMAGE_HEIGHT": float(size[0]),
            "IMAGE_WIDTH": float(size[1]),
        }
    )


def _save(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path)
