"""Which format a file has, and its recording."""

from __future__ import annotations

import importlib
from pathlib import Path

from datasets.gaze.recordings import FORMATS
from datasets.gaze.recordings.recording import ReadingSettings, Recording
from datasets.gaze.recordings.tables import read_text


def read_recording(path: str | Path, settings: ReadingSettings, *, format: str | None = None) -> Recording:
    """Read a recording.

    Args:
        path: the file.
        settings: what the user says about it.
        format: one of ``FORMATS``; None finds it by the content.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of no known format or not as its format demands, with file and row or line.
    """
    path = Path(path)
    text = read_text(path)
    # Only a plain table has columns to choose.
    format = format or ("plain" if settings.columns else detect_format(path, text))
    reader = importlib.import_module(FORMATS[format])
    return reader.read(path, text, settings)


def detect_format(path: Path, text: str) -> str:
    """The first format that knows the text as its own; ValueError if none does."""
    for name, module in FORMATS.items():
        if importlib.import_module(module).looks_like(text):
            return name
    raise ValueError(
        f"{path}: expected a recording of {', '.join(FORMATS)}, found a text that begins with "
        f"{text.lstrip()[:40]!r}; give --format, or --columns t=NAME,x=NAME,y=NAME for a table"
    )
