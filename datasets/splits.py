"""Which samples belong to which split: train and test as given, validation drawn from train by case."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from datasets import io
from datasets.specs import DatasetSpec

SPLITS = ("train", "val", "test")


def split_names(
    spec: DatasetSpec,
    root: Path,
    split: str,
    *,
    data_size_rate: float = 1.0,
    val_fraction: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """The ids of a split, in the order of its file.

    Args:
        split: ``train`` (train.txt less the validation part), ``val`` or ``test``.
        data_size_rate: share of the training ids to keep, above 0 and up to 1; at least one is kept.
        val_fraction: share of the training cases for validation, 0 up to (not including) 1.
        seed: of both draws.

    Raises:
        FileNotFoundError: no such folder or split file.
        ValueError: for a wrong share or name, an empty split, or ids (cases, where names are slices) that
            stand in both train.txt and test.txt.
    """
    _check(split, data_size_rate, val_fraction)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: expected a data folder (--root), found none")
    if split == "test":
        names = io.read_names(root / "test.txt")
        check_disjoint(spec, root)
        return names
    names = io.read_names(root / "train.txt")
    check_disjoint(spec, root)
    validation_cases = _draw_cases(spec, names, val_fraction, seed)
    if split == "val":
        return [name for name in names if spec.case_of(name) in validation_cases]
    names = [name for name in names if spec.case_of(name) not in validation_cases]
    return _subset(names, data_size_rate, seed)


def check_disjoint(spec: DatasetSpec, root: Path) -> None:
    """Raise ValueError if a case stands in both split files; nothing to check where one is absent."""
    train, test = root / "train.txt", root / "test.txt"
    if not (train.is_file() and test.is_file()):
        return
    cases = [{spec.case_of(name) for name in io.read_names(path)} for path in (train, test)]
    both = sorted(cases[0] & cases[1])
    if both:
        raise ValueError(
            f"{root}: expected disjoint train.txt and test.txt, found {len(both)} in both "
            f"({', '.join(both[:5])}); take them out of one"
        )


def _check(split: str, data_size_rate: float, val_fraction: float) -> None:
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, found {split!r}")
    if not 0 < data_size_rate <= 1:
        raise ValueError(f"data_size_rate: expected a share above 0 and up to 1, found {data_size_rate}")
    if not 0 <= val_fraction < 1:
        raise ValueError(f"val_fraction: expected a share from 0 to below 1, found {val_fraction}")
    if split == "val" and val_fraction == 0:
        raise ValueError("split val: expected a val_fraction above 0, found 0; the data sets have no validation split")


def _draw_cases(spec: DatasetSpec, names: list[str], val_fraction: float, seed: int) -> set[str]:
    if not val_fraction:
        return set()
    # Sorted, so that the draw does not depend on the order of the split file.
    cases = sorted({spec.case_of(name) for name in names})
    count = max(1, round(val_fraction * len(cases)))
    if count >= len(cases):
        raise ValueError(f"val_fraction {val_fraction}: expected to leave training cases, found {len(cases)} in all")
    return {cases[i] for i in np.random.default_rng([seed, 1]).permutation(len(cases))[:count]}


def _subset(names: list[str], rate: float, seed: int) -> list[str]:
    if rate == 1:
        return names
    count = math.ceil(rate * len(names))
    kept = np.random.default_rng([seed, 2]).permutation(len(names))[:count]
    return [names[i] for i in sorted(kept)]
