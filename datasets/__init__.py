"""Data sets in the folder format of the reference, and the preparation of their gaze."""

from datasets.segmentation import SegmentationDataset, build_dataset
from datasets.specs import DATASETS, get_spec

__all__ = ["DATASETS", "SegmentationDataset", "build_dataset", "get_spec"]
