"""Crash-safe, append-only journal (JSON Lines): one record per name, readable after a kill at any moment."""

import json
import os
from collections.abc import Collection
from pathlib import Path

from utils.files import named_in_errors

# Key of a removed record; its value is FORGOTTEN where nothing of the name is left.
GONE, FORGOTTEN = "gone", "forgotten"


class Journal:
    """Append-only file of JSON lines; the last record of a name counts.

    Names and offsets of records are kept in memory, records are not. A line that a kill cut short is removed on
    opening: its record was never added.

    Args:
        path: the file, made if absent; its folder must be there.

    Raises:
        ValueError: for a file with other lines than ``add`` writes.
        OSError: where it cannot be written.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = open(path, "a+b")  # noqa: SIM115 (closed by close)
        # Offset of each name's record; None for a removed one.
        self._place: dict[str, int | None] = {}
        self._read()

    def _read(self) -> None:
        self._file.seek(0)
        place = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                self._file.truncate(place)
                break
            try:
                record = json.loads(line)
                if not isinstance(record["name"], str):
                    raise TypeError(record["name"])
            except (ValueError, KeyError, TypeError) as error:
                self._file.close()
                raise ValueError(
                    f"{self.path}: expected a record in line {number}, found something else; restore the file, or "
                    "begin anew in another folder"
                ) from error
            self._remember(record, place)
            place += len(line)

    def _remember(self, record: dict, place: int) -> None:
        self._place[record["name"]] = None if record.get(GONE) else place
        if record.get(GONE) == FORGOTTEN:
            del self._place[record["name"]]

    @property
    def names(self) -> list[str]:
        """The names that have a record, sorted."""
        return sorted(name for name in self._place if name in self)

    @property
    def mentioned(self) -> Collection[str]:
        """The names with a record, and those without one, which were begun and not finished."""
        return self._place.keys()

    def __contains__(self, name: str) -> bool:
        return self._place.get(name) is not None

    def __getitem__(self, name: str) -> dict:
        """The record of a name that has one, with ``name``."""
        self._file.seek(self._place[name])
        return json.loads(self._file.readline())

    def add(self, name: str, record: dict) -> None:
        """Add a record of plain values; a kill after the call does not lose it."""
        self._append({"name": name, **record})

    def remove(self, name: str, *, forget: bool = False) -> None:
        """Remove the record of a name, which stays ``mentioned`` unless ``forget``."""
        self._append({"name": name, GONE: FORGOTTEN if forget else True})

    def _append(self, content: dict) -> None:
        place = self._file.seek(0, os.SEEK_END)
        # ASCII alone, in which names that are no UTF-8 survive.
        with named_in_errors(self.path):
            self._file.write(json.dumps(content).encode("ascii") + b"\n")
            self._file.flush()
        self._remember(content, place)

    def sync(self) -> None:
        """Flush to disk (fsync), so that records survive a failure of the machine."""
        with named_in_errors(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        # Retries failed writes.
        with named_in_errors(self.path):
            self._file.close()
