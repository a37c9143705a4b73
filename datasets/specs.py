"""Specifications of data sets: channels, file types, normalisation, gaze settings, thresholds."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.dicom import DICOM_EXTS
from datasets.settings import SETTINGS_FILE, read_settings
from utils.interrupt import time_limit

RELEASED_SPATIAL_SIZE = 224
PICTURE_EXTS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
IMAGE_EXTS = (*PICTURE_EXTS, *DICOM_EXTS)
MAP_EXTS = (".png", ".jpg")
# <case>_<slice>; a name without a slice number is its own case.
PROSTATE_CASE = r"^(.+?)(?:_[^_]*)?$"
# A match takes microseconds, except with a pattern that backtracks without end.
CASE_SECONDS = 1


@dataclass(frozen=True)
class DatasetSpec:
    """Specification of one data set.

    Attributes:
        name: as on the command line.
        in_channels: image channels.
        image_exts, mask_exts: accepted file name endings, the preferred one first; see ``datasets.files.find_file``.
        map_ext: ending of the gaze maps as they are written; see ``map_exts``.
        normalisation: ``imagenet`` (channel mean and std of ImageNet) or ``zscore`` (per image).
        sigma_px: standard deviation of the heatmap's Gaussian, in pixels of the 768x768 canvas.
        end_thresholds: thresholds on the CRF map, as ``default_thresholds`` takes them: two are the first levels'
            and the ends of all further ones; otherwise one a level.
        case_pattern: regular expression whose one group, found in a sample's name, is its case; None where every
            image is a case of its own. A split must keep cases whole.
        ignore_value: the grey of pixels in masks that are not to be scored; None where there are none.
        has_settings: a settings file in the data folder may override it.
        what, licence: for the model card of a network that was trained on it.
    """

    name: str
    in_channels: int
    image_exts: tuple[str, ...]
    mask_exts: tuple[str, ...]
    map_ext: str
    normalisation: str
    sigma_px: float
    end_thresholds: tuple[float, ...]
    case_pattern: str | None = None
    ignore_value: int | None = None
    has_settings: bool = False
    what: str = "unknown to this project"
    licence: str = "unknown; who passes the file on has to know it"

    @property
    def map_exts(self) -> tuple[str, ...]:
        """The endings under which gaze maps are read, the one that is written first."""
        return (self.map_ext, *(ext for ext in MAP_EXTS if ext != self.map_ext))

    @property
    def needs_8_bit(self) -> bool:
        """Whether the normalisation is made for 8-bit images alone."""
        return self.normalisation == "imagenet"

    def case_of(self, name: str) -> str:
        """The patient or image that a sample belongs to; ValueError for a name without one."""
        if self.case_pattern is None:
            return name
        try:
            with time_limit(CASE_SECONDS):
                found = re.search(self.case_pattern, name)
        except TimeoutError:
            raise ValueError(
                f"{SETTINGS_FILE}: case_pattern {self.case_pattern!r}: expected to find a case within {CASE_SECONDS} "
                f"s, found that it takes longer in {name!r}; write it without repetitions inside or behind others"
            ) from None
        if not (found and found[1]):
            raise ValueError(
                f"case_pattern {self.case_pattern!r}: expected to find a case in every image's name, found none in "
                f"{name!r}; change the pattern in {SETTINGS_FILE}, or the name"
            )
        return found[1]


DATASETS = {
    spec.name: spec
    for spec in (
        DatasetSpec(
            *("kvasir", 3, (".jpg",), (".jpg",), ".jpg", "imagenet", 70, (0.5, 0.3)),
            what="Kvasir-SEG: polyps in colonoscopy (Jha et al., MMM 2020)",
            licence="research and education only",
        ),
        DatasetSpec(
            *("prostate", 1, (".dcm",), (".png",), ".png", "zscore", 50, (0.2, 0.4), PROSTATE_CASE),
            what="NCI-ISBI 2013: the prostate in T2-weighted MRI, from The Cancer Imaging Archive",
            licence="the archive's own terms: see The Cancer Imaging Archive",
        ),
        DatasetSpec(
            *("folder", 3, IMAGE_EXTS, PICTURE_EXTS, ".png", "imagenet", 70, (0.5, 0.3)),
            has_settings=True,
            what="a folder of images of the user's own",
            licence="that of these images; who passes the file on has to know it",
        ),
    )
}


def get_spec(name: str, root: str | Path | None = None) -> DatasetSpec:
    """The spec of a data set.

    Args:
        name: a key of ``DATASETS``.
        root: its folder, whose settings file is read where the data set has one (see ``datasets.settings``).

    Raises:
        ValueError: for an unknown name, settings that do not fit, or no ``root`` where it has a say.
    """
    if name not in DATASETS:
        raise ValueError(f"data: expected one of {', '.join(DATASETS)}, found {name!r}")
    spec = DATASETS[name]
    if not spec.has_settings:
        return spec
    if root is None:
        raise ValueError(f"data {name}: expected its folder (root), which holds its settings, found none")
    return replace(spec, **read_settings(root))
