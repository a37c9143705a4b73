"""Records on disk, one a name, that a kill at any moment leaves readable."""

import json
import os
from pathlib import Path

from utils.files import named_in_errors

GONE = "gone"


class Journal:
    """Append-only file of JSON lines; the last record of a name counts.

    Names and places of records are kept in memory, records are not. A line that a kill cut short is removed on
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
        self._place: dict[str, int] = {}
        # Those without a record, too: of what was begun and not finished.
        self.mentioned: set[str] = set()
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
                name, gone = record["name"], record.get(GONE)
                if not isinstance(name, str):
                    raise TypeError(name)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self._file.close()
                raise ValueError(
                    f"{self.path}: expected a record in line {number}, found something else; restore the file, or "
                    "begin anew in another folder"
                ) from error
            self.mentioned.add(name)
            if gone:
                self._place.pop(name, None)
            else:
                self._place[name] = place
            place += len(line)

    @property
    def names(self) -> list[str]:
        """The names that have a record, sorted."""
        return sorted(self._place)

    def __contains__(self, name: str) -> bool:
        return name in self._place

    def __getitem__(self, name: str) -> dict:
        """The record of a name, with ``name``; KeyError if there is none."""
        self._file.seek(self._place[name])
        return json.loads(self._file.readline())

    def add(self, name: str, record: dict) -> None:
        """Add a record of plain values; a kill after the call does not lose it."""
        self._place[name] = self._append({"name": name, **record})

    def remove(self, name: str) -> None:
        """Take the record of a name out."""
        self._append({"name": name, GONE: True})
        self._place.pop(name, None)

    def _append(self, content: dict) -> int:
        place = self._file.seek(0, os.SEEK_END)
        # ASCII alone: names that are no UTF-8 come back as they were.
        with named_in_errors(self.path):
            self._file.write(json.dumps(content).encode("ascii") + b"\n")
            self._file.flush()
        self.mentioned.add(content["name"])
        return place

    def sync(self) -> None:
        """Have the records outlive a failure of the machine, too."""
        with named_in_errors(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        # What could not be written is tried once more.
        with named_in_errors(self.path):
            self._file.close()
