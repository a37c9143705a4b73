"""The parser, and types of options beside those of ``utils.settings``: words, measures, patterns."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

from utils.settings import POSITIVE_INT, numbers


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds a default that is one, where the help does not tell it itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or "(default: " in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Errors are one line; abbreviations are refused, since a new option would change their meaning."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **kwargs)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


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


def workers(text: str) -> int:
    """A type for a number of processes."""
    return -1 if text.strip() == "-1" else POSITIVE_INT(text)
