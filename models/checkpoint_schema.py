"""Schema of checkpoints: what one may hold, against which everything that is read is validated."""

import argparse
import itertools
import math
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.level import INPUTS
from models.multi_level import CONS_MODES, ENSEMBLES, INITS
from models.propagation import SIMILARITIES

# Limits of the whole content; this project's is nested 6 deep, with one value a weight, an image or a parameter.
MAX_DEPTH, MAX_VALUES, MAX_CHARACTERS = 16, 2_000_000, 10_000
INT64 = (-(2**63), 2**63 - 1)
# Running counts of batch normalisation are whole numbers.
WEIGHT_TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)


class Entry(NamedTuple):
    """Validator of one entry: what it may be, in words, and the test of it."""

    expected: str
    fits: Callable[[Any], bool]


def whole(low: int, high: int = INT64[1]) -> Entry:
    """Validator of an integer in low..high; True and 1.0 are none."""
    return Entry(f"a whole number from {low} to {high}", lambda value: type(value) is int and low <= value <= high)


def number(low: float, high: float = math.inf) -> Entry:
    """Validator of a finite number in low..high."""
    up_to = "" if high == math.inf else f" to {high:g}"
    return Entry(
        f"a finite number from {low:g}{up_to}",
        lambda value: type(value) in (int, float) and math.isfinite(value) and low <= value <= high,
    )


def one_of(*names: str) -> Entry:
    """Validator of one of some names."""
    return Entry(f"one of {', '.join(names)}", lambda value: type(value) is str and value in names)


def list_of(entry: Entry, *lengths: int) -> Entry:
    """Validator of a list or tuple, of one of the given lengths if there are any."""
    return Entry(
        f"{' or '.join(map(str, lengths))} times {entry.expected}"
        if lengths
        else f"a list, each of it {entry.expected}",
        lambda value: (
            type(value) in (list, tuple) and (not lengths or len(value) in lengths) and all(map(entry.fits, value))
        ),
    )


def optional(entry: Entry) -> Entry:
    """Validator that takes None, too."""
    return Entry(f"{entry.expected}, or nothing", lambda value: value is None or entry.fits(value))


TEXT = Entry("a word", lambda value: type(value) is str)
# A plain name: neither an address nor a path.
WORD = Entry("a name", lambda value: type(value) is str and re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", value) is not None)
BYTES = Entry(
    "a few bytes in a row",
    lambda value: isinstance(value, Tensor) and value.dtype == torch.uint8 and value.ndim == 1 and len(value) < 2**16,
)
COUNT = whole(0)
WEIGHTS = Entry(
    "weights by name",
    lambda value: isinstance(value, Mapping) and all(isinstance(weight, Tensor) for weight in value.values()),
)


def _are_options(value: Any) -> bool:
    # Released checkpoints hold a Namespace.
    options = vars(value) if isinstance(value, argparse.Namespace) else value
    values = options.values() if isinstance(options, Mapping) else [options]
    flat = [item for value in values for item in (value if type(value) in (list, tuple) else [value])]
    return isinstance(options, Mapping) and all(item is None or type(item) in (bool, int, float, str) for item in flat)


OPTIONS = Entry("options by name, each a number, a word or a list of such", _are_options)
# The limits are far beyond what is trained, and keep the sizes of weights computable. Other settings of a network are
# checked where it is built.
MODEL = {
    "name": WORD,
    "in_channels": whole(1, 64),
    "num_levels": whole(1, 1000),
    "cons_mode": one_of(*CONS_MODES),
    "features": list_of(whole(1, 2**16), 6),
    "feat_dim": optional(whole(1, 2**16)),
    "init": one_of(*INITS),
    "prop_similarity": one_of(*SIMILARITIES),
    "prop_kernel_size": whole(1, 2**10),
    "prop_dilation": whole(1, 2**10),
    "encoder": WORD,
    "encoder_weights": optional(TEXT),
    "encoder_input": one_of(*INPUTS),
    "decoder_channels": list_of(whole(1, 2**16), 1, 2, 3, 4, 5),
    "ensemble": one_of(*ENSEMBLES),
}
CONFIG = {
    "model": MODEL,
    "data": TEXT,
    "channels": whole(1, 64),
    "normalisation": one_of("imagenet", "zscore"),
    "level_thresholds": list_of(number(0, 1)),
    "train_ids": list_of(whole(0, 2**48 - 1)),
    "spatial_size": whole(16, 2**14),
    "antialias": Entry("true or false", lambda value: type(value) is bool),
    "ignore_value": whole(1, 65535),
    "val_fraction": number(0, 1),
    "seed": COUNT,
}
RANDOM = {
    "python": Entry("the state of Python's generator", lambda value: type(value) is tuple and len(value) == 3),
    "numpy": Entry(
        "the state of NumPy's generator",
        lambda value: (
            type(value) is tuple
            and len(value) == 5
            and value[0] == "MT19937"
            and list_of(whole(0, 2**32 - 1), 624).fits(value[1])
            and whole(0, 624).fits(value[2])
            and whole(0, 1).fits(value[3])
            and number(-math.inf).fits(value[4])
        ),
    ),
    "torch": BYTES,
    "cuda": list_of(BYTES),
}
# Entries by name; an entry that is not listed is never used.
CHECKPOINT: dict[str, Any] = {
    "opt": OPTIONS,
    "objective_settings": list_of(WORD),
    "epoch": COUNT,
    "averaged": COUNT,
    "trained": WEIGHTS,
    "iteration": optional(COUNT),
    "best_performance": optional(number(0)),
    "best_iteration": optional(COUNT),
    "selected_on": optional(one_of("validation", "test")),
    "selected_by": WORD,
    "selection_ids": list_of(whole(0, 2**48 - 1)),
    "amp": one_of("off", "bf16", "fp16"),
    "state": {
        **dict.fromkeys(("validated", "skipped", "overflows", "in_a_row", "skipped_in_a_row"), COUNT),
        "seconds": number(0),
    },
    "scaler": {"scale": number(2**-126), "_growth_tracker": COUNT},
    "random": RANDOM,
    "config": CONFIG,
}
# Keys that a part must have where it is there; parts that may have no other keys than the schema's.
REQUIRED = {"config.model": ("name", "in_channels", "num_levels"), "random": tuple(RANDOM)}
CLOSED = ("state",)


def check_content(content: Mapping, *, size: int) -> None:
    """Validate the content of a checkpoint; ValueError for the first entry that does not fit the schema.

    Args:
        content: with a ``state_dict`` of tensors, as ``plain`` makes it.
        size: of its file in bytes.
    """
    for where, expected, value in _misfits(content, CHECKPOINT):
        raise ValueError(f"expected {where} to be {expected}, found {shown(value)}")
    for weights in ("state_dict", "trained"):
        _check_weights(content.get(weights, {}), size)


def _misfits(content: Mapping, schema: Mapping, where: str = "") -> Iterator[tuple[str, str, Any]]:
    """Entries that do not fit the schema: where, what is expected, what was found."""
    if where in CLOSED:
        yield from ((f"{where}.{named(key)}", "left out", content[key]) for key in content if key not in schema)
    yield from ((f"{where}.{key}", "there", None) for key in REQUIRED.get(where, ()) if key not in content)
    for key, entry in schema.items():
        inner = f"{where}.{key}".lstrip(".")
        value = content.get(key)
        if key not in content or (value is None and inner in ("config", "config.model")):
            continue
        if isinstance(entry, Mapping) and isinstance(value, Mapping):
            yield from _misfits(value, entry, inner)
        elif isinstance(entry, Mapping):
            yield inner, "entries by name", value
        elif not entry.fits(value):
            yield inner, entry.expected, value


def _check_weights(weights: Mapping[str, Tensor], size: int) -> None:
    for name, weight in weights.items():
        if weight.dtype not in WEIGHT_TYPES:
            kinds = ", ".join(str(kind).removeprefix("torch.") for kind in WEIGHT_TYPES)
            raise ValueError(f"expected weights of type {kinds}, found {named(name)} of {weight.dtype}")
    claimed = sum(weight.numel() * weight.element_size() for weight in weights.values())
    if claimed > size:
        raise ValueError(f"expected weights that the file holds, found {claimed} bytes of them in {size}")
    # In float32, as they will be used; the extremes take a tenth of the time of a test of each.
    extremes = {name: weight.aminmax() for name, weight in weights.items() if weight.numel()}
    broken = [name for name, ends in extremes.items() if not all(end.float().isfinite() for end in ends)]
    if broken:
        raise ValueError(
            f"expected finite weights, found {len(broken)} entries that are not (first: {named(broken[0])}); take an "
            "earlier checkpoint"
        )


def plain(value: Any) -> Any:
    """Deep copy of what was read in Python's own types: subclasses can carry attributes that hide what they hold.

    Takes dicts, lists, tuples, strings, bytes, 64-bit numbers and tensors; a Namespace stays one. NumPy's numbers
    become Python's, a device its name.

    Raises:
        ValueError: for anything else, more of it than a checkpoint has, or a structure that contains itself.
    """
    number_of = itertools.count(1)

    def copy(value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH or next(number_of) > MAX_VALUES:
            raise ValueError(f"expected at most {MAX_VALUES} values, {MAX_DEPTH} deep, found more")
        if isinstance(value, dict):
            return {copy(key, depth): copy(inner, depth + 1) for key, inner in dict.items(value)}
        if isinstance(value, list | tuple):
            kind = list if isinstance(value, list) else tuple
            return kind([copy(item, depth + 1) for item in value])
        if isinstance(value, argparse.Namespace):
            copied = argparse.Namespace()
            vars(copied).update(copy(vars(value), depth))
            return copied
        return _leaf(value)

    return copy(value, 0)


def _leaf(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise ValueError(f"expected dense tensors on the CPU, found {value.layout} on {value.device}")
        return value.detach()
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, str | bytes) and len(value) > MAX_CHARACTERS:
        raise ValueError(f"expected words of at most {MAX_CHARACTERS} characters, found {len(value)}")
    if type(value) is int and not INT64[0] <= value <= INT64[1]:
        raise ValueError(f"expected numbers of 64 bits, found one of {value.bit_length()}")
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    raise ValueError(f"expected plain values, found {type(value).__name__}")


def shown(value: Any) -> str:
    """A value for messages, shortened."""
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else reprlib.repr(value)


def named(key: Any) -> str:
    """A key for messages, shortened."""
    return shown(key).strip("'")
