"""What all benchmarks share: how they are called, and the Markdown table with its machine that they print."""

import argparse
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from reporting.markdown import table


def parser(description: str, **defaults: str | float) -> argparse.ArgumentParser:
    """A parser with an option a default, and ``--to``, the file that ``report`` appends to."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        made.add_argument(f"--{name}", type=type(default), default=default, help="default: %(default)s")
    made.add_argument("--to", default=None, help="Markdown file to append to")
    return made


def report(title: str, rows: Sequence[Mapping], notes: Sequence[str], packages: Sequence[str], to: str | None) -> None:
    """Print command line, table, notes, machine and versions of packages, and append them to a file if one is named.

    Args:
        rows: one or more, each with the same columns.
        packages: as pip knows them.
        to: the file.
    """
    cells = table(list(rows[0]), [[str(row[column]) for column in rows[0]] for row in rows])
    text = "\n\n".join([f"## {title}", f"`{_command_line()}`", cells, *notes, _hardware(packages)]) + "\n"
    print(text)
    if to:
        with open(to, "a", encoding="utf-8") as file:
            file.write(text + "\n")


def _command_line() -> str:
    script = Path(sys.argv[0])
    return " ".join(["python", f"benchmarks/{script.name}", *(shlex.quote(word) for word in sys.argv[1:])])


def _hardware(packages: Sequence[str]) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"On {_processor()}, {cores} cores; Python {platform.python_version()}, {versions}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
