"""Declared settings: fields of a dataclass with default, help, and range or choices, from which options are made."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, field, fields
from typing import Any

# The largest seed of torch; no other setting comes near.
LARGEST_WHOLE = 2**63 - 1


def number(kind: type, low: float, high: float | None = None, *, open_low: bool = False) -> Callable[[str], float]:
    """Option type of a number in low..high; without ``high`` up to the largest finite one."""
    largest = (LARGEST_WHOLE if kind is int else sys.float_info.max) if high is None else high

    def convert(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low < value <= largest if open_low else low <= value <= largest):
            at_least = f"above {low}" if open_low else f"from {low}"
            # The largest of all numbers is named only where it was exceeded.
            has_end = high not in (None, math.inf) or (kind is int and value > largest)
            up_to = f" to {largest}" if has_end else ""
            noun = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"expected {noun} {at_least}{up_to}, found {text!r}")
        return value

    return convert


def numbers(
    kind: Callable[[str], float], *, each_once: bool = False, most: int | None = None
) -> Callable[[str], tuple]:
    """Option type of numbers separated by commas, at most ``most`` of them."""

    def convert(text: str) -> tuple:
        try:
            found = tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected numbers separated by commas, found {text!r}") from None
        if each_once and len(set(found)) < len(found):
            raise argparse.ArgumentTypeError(f"expected each number once, found {text!r}")
        if most and len(found) > most:
            raise argparse.ArgumentTypeError(f"expected up to {most} numbers, found {len(found)}")
        return found

    return convert


def number_tuple(count: int, *, positive: int) -> Callable[[str], tuple[float, ...]]:
    """Option type of ``count`` finite numbers separated by commas, the last ``positive`` of them above 0."""

    def convert(text: str) -> tuple[float, ...]:
        values = numbers(float)(text)
        if len(values) != count or not all(map(math.isfinite, values)) or min(values[count - positive :]) <= 0:
            above = f", the last {positive} above 0" if positive < count else " above 0"
            raise argparse.ArgumentTypeError(f"expected {count} numbers separated by commas{above}, found {text!r}")
        return values

    return convert


POSITIVE_INT = number(int, 1)
NATURAL = number(int, 0)
POSITIVE = number(float, 0, open_low=True)
NOT_NEGATIVE = number(float, 0)


def setting(
    default: Any,
    help: str,
    kind: Callable[[str], Any] | None = None,
    *,
    choices: Iterable[str] | None = None,
    flags: tuple[str, ...] = (),
    metavar: str | None = None,
    negatable: bool = False,
) -> Any:
    """Declare a setting: a field of a dataclass.

    Args:
        default: MISSING of ``dataclasses`` for a required one; False for a switch.
        help: of the option, a line.
        kind: converts text to a value, or raises argparse.ArgumentTypeError; None for words and paths.
        choices: the allowed words, or a registry with these keys, which may grow.
        flags: of the option, where it has others than its name.
        metavar: placeholder of the value in the help.
        negatable: for a switch that can be turned off again, as one that a recipe sets.
    """
    about = {"help": help, "kind": kind, "choices": choices, "flags": flags, "metavar": metavar, "negatable": negatable}
    return field(default=default, metadata=about)


def declared_settings(*classes: type) -> dict[str, Field]:
    """The settings that classes and their bases declare, by name, in order; of one that several declare the first."""
    found: dict[str, Field] = {}
    for one in (one for declared in classes for one in fields(declared) if "help" in one.metadata):
        found.setdefault(one.name, one)
    return found


def add_settings(
    group, declared: Mapping[str, Field], names: Iterable[str] | None = None, *, checked: bool = True
) -> None:
    """Add settings, all or those named, as options to a parser or an argument group; without ``checked`` as words, of
    which ``checked_value`` makes values, where several classes declare settings of one name."""
    for name in declared if names is None else names:
        one, about = declared[name], declared[name].metadata
        given: dict[str, Any] = {"help": about["help"], "default": None if one.default is MISSING else one.default}
        given |= {"required": True} if checked and one.default is MISSING else {}
        if about["negatable"]:
            given["action"] = argparse.BooleanOptionalAction
        elif one.default is False:
            given["action"] = "store_true"
        else:
            choices = None if about["choices"] is None else tuple(about["choices"])
            kind, metavar = about["kind"] or str, about["metavar"]
            if not checked:
                kind, choices, metavar = str, None, metavar or (choices and f"{{{','.join(choices)}}}")
            given |= {"type": kind, "choices": choices, "metavar": metavar}
        group.add_argument(*(about["flags"] or (f"--{name}",)), dest=name, **given)


def checked_value(declared: Field, value: Any) -> Any:
    """Validate a setting's value and convert it as its option would; ValueError for one that it would not take."""
    about, name = declared.metadata, f"--{declared.name}"
    name = name if name in (about["flags"] or (name,)) else about["flags"][-1]
    if value is MISSING:
        raise ValueError(f"{name}: expected it to be given, found none")
    if value is None and declared.default is None:
        return None
    if declared.default is False or about["negatable"]:
        if not isinstance(value, bool):
            raise ValueError(f"{name}: expected True or False, found {value!r}")
        return value
    try:
        if about["kind"]:
            value = about["kind"](",".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        else:
            value = os.fspath(value)
            if isinstance(value, bytes):
                raise argparse.ArgumentTypeError(f"expected a word or path, found {value!r}")
            if not value:
                # An unset variable of the shell must not pass for an option that is left out.
                raise argparse.ArgumentTypeError("expected a word or path, found an empty one; leave the option out")
    except (argparse.ArgumentTypeError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error
    if about["choices"] is not None and value not in about["choices"]:
        raise ValueError(f"{name}: expected one of {', '.join(about['choices'])}, found {value!r}")
    return value
