"""Data sets in the folder format of the reference, and the preparation of their gaze."""

from datasets.specs import DATASETS, get_spec

__all__ = ["DATASETS", "SegmentationDataset", "build_dataset", "get_spec"]


def __getattr__(name: str):
    """Lazy import of what needs torch: the processes that prepare gaze do without."""
    if name in __all__:
        from datasets import segmentation

        return getattr(segmentation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
