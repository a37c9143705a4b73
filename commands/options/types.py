"""The parser, and the types of options: numbers in a range, lists, patterns."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds a default that is one, where the help does not tell it itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or "(default: " in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


# What torch takes as a seed; no other option comes near.
LARGEST_WHOLE = 2**63 - 1


class Parser(argparse.ArgumentParser):
    """Errors are one line; abbreviations are refused, since a new option would change their meaning."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **kwargs)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def number(kind: type, low: float, high: float | None = None, *, open_low: bool = False) -> Callable[[str], float]:
    """A type for numbers in low..high, with an error that says so; without ``high`` up to the largest finite one."""
    largest = (LARGEST_WHOLE if kind is int else sys.float_info.max) if high is None else high

    def convert(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low < value <= largest if open_low else low <= value <= largest):
            at_least = f"above {low}" if open_low else f"from {low}"
            up_to = (
                f" to {largest}"
                if kind is int and value > largest
                else ""
                if high in (None, math.inf)
                else f" to {high}"
            )
            noun = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"expected {noun} {at_least}{up_to}, found {text!r}")
        return value

    return convert


def numbers(kind: type) -> Callable[[str], tuple]:
    """A type for numbers separated by commas."""

    def convert(text: str) -> tuple:
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected numbers separated by commas, found {text!r}") from None

    return convert


def words(choices: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """A type for some of ``choices`` separated by commas, each once."""

    def convert(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(","))
        if not set(found) <= set(choices) or len(set(found)) < len(found):
            raise argparse.ArgumentTypeError(
                f"expected some of {', '.join(choices)}, separated by commas, each once, found {text!r}"
            )
        return found

    return convert


def measures(count: int, *, positive: int) -> Callable[[str], tuple[float, ...]]:
    """A type for ``count`` finite numbers separated by commas, the last ``positive`` of them above 0."""

    def convert(text: str) -> tuple[float, ...]:
        values = numbers(float)(text)
        if len(values) != count or not all(map(math.isfinite, values)) or min(values[count - positive :]) <= 0:
            above = "" if positive == 0 else f", the last {positive} above 0" if positive < count else " above 0"
            raise argparse.ArgumentTypeError(f"expected {count} numbers separated by commas{above}, found {text!r}")
        return values

    return convert


def spacing(text: str) -> tuple[float, float]:
    """A type for the height and width of a pixel: two numbers above 0, or one for both."""
    return measures(2, positive=2)(text if "," in text else f"{text},{text}")


def pattern(text: str) -> str:
    """A type for regular expressions."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, found {text!r} ({error})") from None
    return text


POSITIVE_INT = number(int, 1)
NATURAL = number(int, 0)
POSITIVE = number(float, 0, open_low=True)
NOT_NEGATIVE = number(float, 0)


def workers(text: str) -> int:
    """A type for a number of processes."""
    return -1 if text.strip() == "-1" else POSITIVE_INT(text)
