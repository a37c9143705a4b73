"""Splits into training, validation and test samples: as the split files say, or drawn by case where there are none."""

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets import io
from datasets.specs import DatasetSpec
from utils.inputs import first_few

SPLITS = ("train", "val", "test")


def split_names(
    spec: DatasetSpec,
    root: str | Path,
    split: str,
    *,
    data_size_rate: float = 1.0,
    draw_subset: bool = False,
    val_fraction: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """The ids of a split, in the order of its file.

    Args:
        split: ``train`` (train.txt less the validation part), ``val`` (val.txt where there is one, otherwise a part of
            train.txt) or ``test``.
        data_size_rate: share of the training ids to keep, above 0 and up to 1, rounded down; at least one is kept.
        draw_subset: those kept are drawn by the seed, in place of the first ones, as released.
        val_fraction: share of the training cases for validation, 0 up to (not including) 1; 0 with a val.txt.
        seed: of all draws.

    Raises:
        FileNotFoundError: no such folder or split file.
        ValueError: for another split or a wrong name, an empty split, val.txt and ``val_fraction`` together, or a case
            that stands in two split files.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, found {split!r}")
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: expected a data folder (--root), found none")
    if val_fraction and has_validation_file(root):
        raise ValueError(
            f"{root / 'val.txt'}: expected no validation file with --val_fraction {val_fraction:g}, found one; leave "
            "--val_fraction out to use the file, or remove the file"
        )
    if split == "val" and not (val_fraction or has_validation_file(root)):
        raise ValueError(f"split val: expected {root / 'val.txt'} or a --val_fraction above 0, found neither")
    from_file = split == "test" or (split == "val" and not val_fraction)
    names = io.read_names(root / f"{split if from_file else 'train'}.txt")
    check_disjoint(spec, root)
    if from_file:
        return names
    validation_cases = _draw_cases(spec, names, val_fraction, seed)
    names = [name for name in names if (spec.case_of(name) in validation_cases) == (split == "val")]
    if split == "val":
        return names
    count = max(1, int(data_size_rate * len(names)))
    if not draw_subset:
        return names[:count]
    return [names[i] for i in sorted(np.random.default_rng([seed, 2]).permutation(len(names))[:count])]


def has_validation_file(root: str | Path) -> bool:
    """Whether the data folder has a validation split file."""
    return (Path(root) / "val.txt").is_file()


def train_list_sha256(root: str | Path) -> str:
    """SHA-256, in hex digits, of the ids in train.txt in their order, by which a resumed run recognises its data.

    Errors as of ``io.read_names``.
    """
    return hashlib.sha256("\n".join(io.read_names(Path(root) / "train.txt")).encode()).hexdigest()


def check_disjoint(spec: DatasetSpec, root: Path) -> None:
    """Raise ValueError if a case stands in two of the split files that are there."""
    paths = [path for split in SPLITS if (path := root / f"{split}.txt").is_file()]
    cases = {path.name: {spec.case_of(name) for name in io.read_names(path)} for path in paths}
    for first, second in itertools.combinations(cases, 2):
        both = sorted(cases[first] & cases[second])
        if both:
            raise ValueError(
                f"{root}: expected disjoint {first} and {second}, found {len(both)} in both "
                f"({first_few(both)}); take them out of one"
            )


def draw_splits(spec: DatasetSpec, names: Sequence[str], *, val: float, test: float, seed: int) -> dict[str, list[str]]:
    """Draw splits by case: the same parts for the same names, whatever their order.

    Args:
        names: plain ids, each once.
        val, test: shares of the cases, above 0, together below 1; ``val`` may be 0, and there is no such part then.
            A part has at least one case.
        seed: of the draw.

    Returns:
        ``train``, ``val`` and ``test``: sorted names.

    Raises:
        ValueError: for shares out of range, a name without a case, or no case left for training.
    """
    if not (0 <= val and 0 < test and val + test < 1):
        raise ValueError(
            f"shares: expected val from 0 and test above 0, together below 1, found val {val:g} and test {test:g}"
        )
    cases = _shuffled_cases(spec, names, [seed, 4])
    drawn = ["test"] * max(1, round(test * len(cases)))
    drawn += ["val"] * max(1, round(val * len(cases))) if val else []
    if len(drawn) >= len(cases):
        raise ValueError(
            f"shares: expected to leave training cases, found {len(cases)} in all for val {val:g} and test "
            f"{test:g}; add images, or split by hand"
        )
    part_of = dict(zip(cases, drawn, strict=False))
    parts: dict[str, list[str]] = {part: [] for part in SPLITS if part != "val" or val}
    for name in sorted(names):
        parts[part_of.get(spec.case_of(name), "train")].append(name)
    return parts


def _draw_cases(spec: DatasetSpec, names: list[str], val_fraction: float, seed: int) -> set[str]:
    if not val_fraction:
        return set()
    cases = _shuffled_cases(spec, names, [seed, 1])
    count = max(1, round(val_fraction * len(cases)))
    if count >= len(cases):
        raise ValueError(f"val_fraction {val_fraction}: expected to leave training cases, found {len(cases)} in all")
    return set(cases[:count])


def _shuffled_cases(spec: DatasetSpec, names: Sequence[str], seed: list[int]) -> list[str]:
    # Sorted, so that the draw does not depend on the order of the names.
    cases = sorted({spec.case_of(name) for name in names})
    return [cases[i] for i in np.random.default_rng(seed).permutation(len(cases))]
