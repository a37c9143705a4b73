"""What is fixed about each data set: channels, file types, normalisation, gaze settings, thresholds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetSpec:
    """Facts about one data set.

    Attributes:
        name: as on the command line.
        in_channels: image channels.
        image_ext, mask_ext, map_ext: file name endings of images, masks and gaze maps.
        normalisation: ``imagenet`` (channel mean and std of ImageNet) or ``zscore`` (per image).
        sigma_px: standard deviation of the heatmap's Gaussian, in pixels of the 768x768 canvas.
        end_thresholds: the first two levels' thresholds on the CRF map; further levels lie between them.
        cases_have_slices: names are ``<case>_<slice>``, and a split must keep cases whole.
    """

    name: str
    in_channels: int
    image_ext: str
    mask_ext: str
    map_ext: str
    normalisation: str
    sigma_px: float
    end_thresholds: tuple[float, float]
    cases_have_slices: bool = False

    def case_of(self, name: str) -> str:
        """The patient or image that a sample belongs to; a name without a slice number is its own case."""
        return (name.rpartition("_")[0] or name) if self.cases_have_slices else name


DATASETS = {
    spec.name: spec
    for spec in (
        DatasetSpec("kvasir", 3, ".jpg", ".jpg", ".jpg", "imagenet", 70, (0.5, 0.3)),
        DatasetSpec("prostate", 1, ".dcm", ".png", ".png", "zscore", 50, (0.2, 0.4), cases_have_slices=True),
    )
}


def get_spec(name: str) -> DatasetSpec:
    """The spec of a data set; ValueError for an unknown name."""
    if name not in DATASETS:
        raise ValueError(f"data: expected one of {', '.join(DATASETS)}, found {name!r}")
    return DATASETS[name]
