"""Ctrl-C and SIGTERM as a wish to stop, heard between two steps."""

from __future__ import annotations

import signal


class StopRequest:
    """While entered, the first SIGINT or SIGTERM sets ``signal_name``; a second one acts as usual."""

    def __init__(self):
        self.signal_name: str | None = None
        self._previous: dict[int, object] = {}

    def __bool__(self) -> bool:
        return self.signal_name is not None

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        self._restore()

    def _handle(self, number: int, frame) -> None:
        self.signal_name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())
