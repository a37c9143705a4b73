"""Data settings kept in a checkpoint: the form of its images, and hashes of their ids."""

import hashlib
from collections.abc import Iterable, Mapping

from datasets.specs import DatasetSpec


def remembered_settings(spec: DatasetSpec) -> dict[str, int | str]:
    """Settings of the data for a checkpoint: channels and normalisation of images, and the ignored value, if any."""
    ignored = {} if spec.ignore_value is None else {"ignore_value": spec.ignore_value}
    return {"channels": spec.in_channels, "normalisation": spec.normalisation, **ignored}


def hash_ids(names: Iterable[str]) -> list[int]:
    """48-bit hash of each id: a checkpoint knows its training images without naming patients."""
    return [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest()) for name in names]


def check_settings(spec: DatasetSpec, config: Mapping, path) -> None:
    """Raise ValueError if images would reach the network in another form than it was trained on.

    Args:
        spec: of the data at hand.
        config: of the checkpoint; entries that it lacks (older and released ones) are not checked.
        path: of the checkpoint, for the message.
    """
    for key in ("channels", "normalisation"):
        found = remembered_settings(spec)[key]
        trained = config.get(key, found)
        if trained != found:
            raise ValueError(
                f"{path}: expected data with {key} {trained}, as it was trained on, found {key} {found} (--data "
                f"{spec.name}); choose that data set, or set {key} in its dataset.toml where it has one"
            )
