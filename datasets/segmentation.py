"""The data set (map-style): images with labels, gaze pseudo-masks, or both, in the reference's folder format."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datasets import io
from datasets.augment import AUGMENTATIONS
from datasets.files import (
    check_finished,
    check_one_file_a_name,
    near_miss_hint,
    sample_image,
    sample_label,
    sample_path,
    similar_files,
)
from datasets.gaze.levels import check_thresholds, default_thresholds, threshold_levels
from datasets.gaze.map_files import why_missing
from datasets.sample_cache import GB, SampleCache, open_sample_cache
from datasets.specs import DatasetSpec, get_spec
from datasets.splits import split_names
from datasets.transforms import drawn_flips, preprocess, resize_labels, resize_smooth
from utils.inputs import FEW, first_few

FLIP_PROBABILITY = 0.5
# Masks and maps whose pixels are checked too: those of a wrong kind, as masks of classes, mostly come in whole sets.
NUM_READ = 20
# The highest value that JPEG makes of 1.
HIGHEST_OF_LABELS = 2


@dataclass(eq=False, repr=False)
class SegmentationDataset(Dataset):
    """Samples as dicts: ``image`` (C,H,W) float32 normalised; ``label`` (1,H,W) and ``pseudo`` (L,H,W)
    float32 in {0,1}, each where there is one; ``ignore`` (1,H,W) float32 in {0,1}, beside the labels of a data set with
    an ``ignore_value``, 1 where a pixel is not to be scored (its label is 0); ``name`` as the split file writes it.

    ``dataset[i]`` draws its flips from torch's generator; ``dataset[i, epoch]`` from (seed, epoch, i) alone,
    which is what the loaders ask for, so that samples do not depend on the number of workers.
    """

    spec: DatasetSpec
    root: Path
    names: list[str]
    _: KW_ONLY
    spatial_size: int
    thresholds: Sequence[float] | None
    has_labels: bool
    full_size_labels: bool
    flip_probability: float
    seed: int
    antialias: bool = False
    augmentation: str = "flips"
    map_folder: Path | None = None
    without_map: list[str] = field(default_factory=list)
    cache: SampleCache | None = None
    cache_note: str = "cache: off"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Tensor | str]:
        index, epoch = key if isinstance(key, tuple) else (key, None)
        index = range(len(self))[index]
        arrays = self.cache.sample(index, self._decode, self.files_of) if self.cache else self._decode(index)
        return {**self._augmented(arrays, index, epoch), "name": self.names[index]}

    def path(self, kind: str, name: str) -> Path:
        """The file of a sample; ``kind`` is ``images``, ``masks`` or ``map``."""
        if kind == "map" and self.map_folder is not None:
            return self.map_folder / f"{name}.png"
        return sample_path(self.spec, self.root, kind, name)

    @property
    def kinds(self) -> list[str]:
        """The kinds of files that a sample is made from; see ``path``."""
        return ["images"] + ["masks"] * self.has_labels + ["map"] * bool(self.thresholds)

    def files_of(self, index: int) -> list[Path]:
        return [self.path(kind, self.names[index]) for kind in self.kinds]

    def use_cache(self, kind: str, *, max_gb: float, folder: str | Path | None = None) -> None:
        """Cache the samples, which are then read and resized once. Call it last: it holds for the present names, sizes
        and levels.

        Args:
            kind: ``memory``, shared with loader processes; ``disk``, which later runs find again; or ``off``.
            max_gb: bound, in 1e9 bytes; the first samples are kept as far as it goes.
            folder: for ``disk``; None or "" means ``.cache`` in the data folder. Cache files of other settings
                in it count too, and are removed, the least recently used ones first, where there is no room.
        """
        decisive = (self.spec.normalisation, self.spec.ignore_value, self.thresholds, str(self.map_folder or ""))
        self.cache, self.cache_note = open_sample_cache(
            self._layout(),
            (str(self.root.resolve()), self.names, *decisive, self.antialias),
            [self.files_of(index) for index in range(len(self))],
            kind,
            max_bytes=max_gb * GB,
            folder=Path(folder) if folder else self.root / ".cache",
        )

    def _layout(self) -> np.dtype:
        """Layout of a cached sample's arrays, with labels of the network's size."""
        size = (self.spatial_size, self.spatial_size)
        fields = [("image", np.float32, (self.spec.in_channels, *size))]
        if self.has_labels:
            names = ["label"] if self.spec.ignore_value is None else ["label", "ignore"]
            fields += [(name, np.uint8, (1, *size)) for name in names]
        if self.thresholds:
            fields.append(("pseudo", np.uint8, (len(self.thresholds), *size)))
        return np.dtype(fields)

    def first_samples(self, count: int) -> SegmentationDataset:
        """The first samples without augmentation, with labels where their masks can be read, for pictures."""
        shown = self.subset(self.names[:count])
        shown.flip_probability, shown.augmentation, shown.has_labels = 0.0, "flips", False
        with contextlib.suppress(ValueError):
            shown.has_labels = all(sample_label(self.spec, self.root, name).mask is not None for name in shown.names)
        return shown

    def leave_out(self, without_map: Collection[str]) -> None:
        """Drop these samples, which ``without_map`` then names, unless that would leave none; call it before
        ``use_cache``.
        """
        left = [name for name in self.names if name not in without_map]
        if left:
            self.without_map += [name for name in self.names if name in without_map]
            self.names = left

    def describe_left_out(self, listed_in: str) -> str:
        """A sentence on the images left out for want of a gaze map, the first by name; a file of the run lists all."""
        named = first_few(self.without_map) + f" (all in {listed_in})" * (len(self.without_map) > FEW)
        total = len(self.without_map) + len(self)
        return f"{len(self.without_map)} of {total} training images left out for want of a gaze map: {named}"

    def subset(self, names: Sequence[str]) -> SegmentationDataset:
        """The same data set with these samples, without its cache."""
        return replace(self, names=list(names), cache=None)

    def _augmented(self, arrays: dict[str, Tensor], index: int, epoch: int | None) -> dict[str, Tensor]:
        """Augmented float32 copies of a sample's arrays, all with the same transform."""
        kind = AUGMENTATIONS[self.augmentation]
        if not self.flip_probability and kind is None:
            # Copies: arrays of the cache may be views of its memory.
            return {name: array.to(torch.float32, copy=True) for name, array in arrays.items()}
        rng = np.random.default_rng(torch.randint(2**31, (1,)).tolist() if epoch is None else [self.seed, epoch, index])
        flips = drawn_flips(rng, self.flip_probability)
        sample = {name: array.flip(flips).float() for name, array in arrays.items()}
        if kind is None:
            return sample
        drawn = kind.draw(rng, self.spatial_size, self.spec.in_channels)
        return {
            name: (drawn.apply_to_image if name == "image" else drawn.apply_to_mask)(x) for name, x in sample.items()
        }

    def _decode(self, index: int) -> dict[str, Tensor]:
        """The sample before augmentation."""
        name = self.names[index]
        image = sample_image(self.spec, self.root, name)
        arrays = {"image": preprocess(image, self.spec.normalisation, self.spatial_size, antialias=self.antialias)}
        if self.has_labels:
            arrays |= self._label(name)
        if self.thresholds:
            gaze_map = torch.from_numpy(io.read_map(self.path("map", name)))[None]
            arrays["pseudo"] = threshold_levels(resize_smooth(gaze_map, self.spatial_size), self.thresholds)
        return arrays

    def _label(self, name: str) -> dict[str, Tensor]:
        mask, ignore = io.read_label(self.path("masks", name), self.spec.ignore_value)
        arrays = {"label": mask} if ignore is None else {"label": mask, "ignore": ignore}
        full_size = {key: torch.from_numpy(array)[None].float() for key, array in arrays.items()}
        if self.full_size_labels:
            return full_size
        return {key: resize_labels(x, self.spatial_size) for key, x in full_size.items()}


def build_dataset(
    data: str,
    *,
    root: str | Path,
    split: str,
    spatial_size: int,
    num_levels: int | None = None,
    level_thresholds: Sequence[float] | None = None,
    augment: bool | None = None,
    has_labels: bool = True,
    seed: int = 0,
    skip_missing_gaze: bool = False,
    map_folder: str | Path | None = None,
    antialias: bool = False,
    **drawn: float,
) -> SegmentationDataset:
    """Build and check one split of a data set.

    Args:
        data: a key of ``DATASETS``.
        root: folder with ``images/``, ``masks/``, ``train.txt``, ``test.txt`` and ``gaze/crf_compat1/``.
        split: ``train``, ``val`` (val.txt, or else a part of train.txt) or ``test``.
        spatial_size: side of the square network input, in pixels.
        num_levels: number of pseudo-mask levels; None for none, unless ``level_thresholds`` are given. Only
            the training split carries pseudo-masks.
        level_thresholds: one threshold a level in place of the data set's own.
        augment: flips; None means on for the training split.
        has_labels: samples have their masks, resized in the training split and of their original size in others.
        seed: of flips, and of what is drawn.
        skip_missing_gaze: leave out training images without a gaze map; see ``without_map``.
        map_folder: where the maps of the training images are, PNG files of any size, in place of the data folder's.
        antialias: of images that are resized; see ``resize_smooth``.
        drawn: which samples, as of ``split_names``.

    Raises:
        FileNotFoundError: with the first five missing files, their number, and the command that makes them.
        ValueError: for wrong arguments or settings, overlapping splits, images that are not taken (see
            ``io.read_image``), two files of one id, or files of different sizes.
    """
    spec, root, training = get_spec(data, root), Path(root), split == "train"
    names = split_names(spec, root, split, seed=seed, **drawn)
    thresholds = None
    if training and level_thresholds is not None:
        thresholds = check_thresholds(level_thresholds)
    elif training and num_levels is not None:
        thresholds = default_thresholds(spec.end_thresholds, num_levels)
    dataset = SegmentationDataset(
        spec,
        root,
        names,
        spatial_size=spatial_size,
        thresholds=thresholds,
        has_labels=has_labels,
        full_size_labels=not training,
        flip_probability=FLIP_PROBABILITY if (training if augment is None else augment) else 0.0,
        seed=seed,
        antialias=antialias,
        map_folder=None if map_folder is None else Path(map_folder),
    )
    if skip_missing_gaze and thresholds:
        dataset.leave_out({name for name in names if not dataset.path("map", name).is_file()})
    check_files(dataset)
    return dataset


def check_files(dataset: SegmentationDataset) -> None:
    """Check that every file of the split is there, opens as what it should be, and has the size of its image."""
    spec = dataset.spec
    # Maps in a folder of their own are of the size at which the network of a round saw the image.
    in_root = [kind for kind in dataset.kinds if kind != "map" or dataset.map_folder is None]
    if "map" in in_root:
        check_finished(dataset.root)
    for kind in dataset.kinds:
        _check_present(dataset, kind)
        if kind in in_root:
            check_one_file_a_name(spec, dataset.root, kind, dataset.names)
    _check_pixels(dataset)
    for name in dataset.names:
        paths = {kind: dataset.path(kind, name) for kind in in_root}
        expected = io.check_image(paths.pop("images"), needs_8_bit=spec.needs_8_bit)
        for path in paths.values():
            found = io.check_image(path)
            if found != expected:
                raise ValueError(
                    f"{path}: expected the size of its image, {_by(expected)}, found {_by(found)}; replace the one "
                    f"that is wrong or take {name} out of the split file"
                )


def _check_present(dataset: SegmentationDataset, kind: str) -> None:
    spec = dataset.spec
    paths = {name: dataset.path(kind, name) for name in dataset.names}
    missing = {name: path for name, path in paths.items() if not path.is_file()}
    if not missing:
        return
    some = len(missing) < len(paths)
    if kind == "images":
        others = f" ({', '.join(spec.image_exts)})" if len(spec.image_exts) > 1 else ""
        hint = f"put the images of {spec.name} there{others}; see GazeMedSeg/README.md"
    elif kind == "masks" and some:
        hint = "put them there, or take their names out of the split file"
    elif kind == "masks":
        hint = f"put the masks of {spec.name} there; gaze training (-m gaze_sup) needs them for evaluation only, and "
        hint += "does without in an absent or empty masks/"
    elif dataset.map_folder is not None:
        hint = f"expected a map of every training image, <id>.png, in {dataset.map_folder}"
    else:
        hint = why_missing(spec, dataset.root, missing)
    if kind == "map" and some:
        hint += "; --skip_missing_gaze goes on without them"
    there = similar_files(next(iter(missing.values())).parent)
    near = next(filter(None, (near_miss_hint(name, there) for name in missing)), "")
    first = ", ".join(map(str, [*missing.values()][:5]))
    raise FileNotFoundError(f"{len(missing)} of {len(paths)} files are missing: {first}{near}; {hint}")


def _check_pixels(dataset: SegmentationDataset) -> None:
    """Check the pixels of the first masks and maps."""
    names = dataset.names[:NUM_READ]
    if dataset.has_labels:
        for name in names:
            io.read_label(dataset.path("masks", name), dataset.spec.ignore_value)
    if dataset.thresholds:
        paths = [dataset.path("map", name) for name in names]
        highest = max(int(io.read_gray(path).max()) for path in paths)
        if 0 < highest <= HIGHEST_OF_LABELS:
            raise ValueError(
                f"{paths[0].parent}: expected gaze maps in which 255 stands for 1, found no value above {highest} in "
                f"the first {len(paths)}, as of pseudo-masks of 0 and 1; write 255 for 1"
            )


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]} (width x height)"
