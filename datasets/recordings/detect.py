"""Format detection by a file's content, and reading of the recording."""

import re
from dataclasses import replace
from pathlib import Path

from datasets.recordings import eyelink, jspsych, table_reader
from datasets.recordings.formats import PLAIN, TABLE_FORMATS, TableFormat
from datasets.recordings.recording import MESSAGE_OPTIONS, TABLE_OPTIONS, ReadingSettings, Recording, unread
from datasets.recordings.tables import header_names, plain_name, read_records, read_table, read_text, unit_of

# No preamble above a header is longer.
HEADER_LINES = 200
OPTIONS_READ = {"eyelink": MESSAGE_OPTIONS, "jspsych": ()}
JSON = re.compile(r'\s*(\[\s*[\[{\]]|\{\s*["}])')


def formats() -> tuple[str, ...]:
    """The names of all formats."""
    return ("eyelink", *TABLE_FORMATS, "jspsych")


def read_recording(path: str | Path, settings: ReadingSettings, *, format: str | None = None) -> Recording:
    """Read a recording; ``format`` is one of ``formats()``, or None to detect it by the content.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of no known format or not as its format demands, with file and row or line.
    """
    if format not in (None, *formats()):
        raise ValueError(f"format: expected one of {', '.join(formats())}, found {format!r}")
    recording = _read(Path(path), settings, format)
    options = unread(settings, "want_samples", *OPTIONS_READ.get(recording.format, TABLE_OPTIONS))
    note = f"not used for {recording.format}: {', '.join(options)}"
    return replace(recording, notes=(*recording.notes, note)) if options else recording


def _read(path: Path, settings: ReadingSettings, format: str | None) -> Recording:
    text = read_text(path)
    if format == "eyelink" or (format is None and eyelink.looks_like(text)):
        return eyelink.read(path, text, settings)
    if format == "jspsych" or (format is None and jspsych.looks_like(text)):
        return jspsych.read(path, text)
    table = read_records(path, text) if JSON.match(text) else None
    lines = [",".join(table.frame)] if table is not None else text.split("\n", HEADER_LINES)[:HEADER_LINES]
    declared, line = _declared(path, lines, settings, format)
    if table is None:
        table = read_table(path, text, first=line, ragged=declared.ragged, cut_end=declared.written_live)
    return table_reader.read(table, declared, settings)


def _declared(path: Path, lines: list[str], settings: ReadingSettings, format: str | None) -> tuple[TableFormat, int]:
    """The format of a table and the line of its header, from 0; ValueError if no line is one's."""
    names = [header_names(line) for line in lines]
    # The plain format last: other formats may have its columns, too.
    asked = sorted(TABLE_FORMATS.values(), key=lambda one: one is PLAIN) if format is None else [TABLE_FORMATS[format]]
    for declared in asked:
        for line, there in enumerate(names):
            if any(all(_among(item, there) for item in header) for header in declared.headers):
                return declared, line
    given = {plain_name(name) for name in (settings.columns or {}).values()}
    if format or given:
        declared = TABLE_FORMATS[format] if format else PLAIN
        return declared, next((line for line, there in enumerate(names) if given and given <= there), 0)
    wide = max(lines, key=lambda line: max(map(line.count, "\t;,")))
    raise ValueError(
        f"{path}: expected a recording of {', '.join(formats())}, found a text that begins with "
        f"{lines[0].strip()[:40]!r}, and no line with names of columns of time, x and y"
        + (f" (such as t, x, y; there is {wide.strip()[:200]!r})" if wide.strip() else "")
        + "; give --format, or for a table (parted by tabs, semicolons or commas) --columns t=NAME,x=NAME,y=NAME"
    )


def _among(item: str, there: set[str]) -> bool:
    """Whether one of the item's names, with its unit if it has one, is in the header."""
    names = ((name, f"[{unit_of(name)}]" if "[" in name else "") for name in item.split("|"))
    return any(plain_name(name) + unit in there for name, unit in names)
