"""Ctrl-C, SIGTERM, a terminal that is gone and the end of the time as a wish to stop, heard between two steps; and a
bound on the time that a piece of work takes."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

# The exit code of what was stopped and can go on; a shell's own for Ctrl-C.
STOPPED_CODE = 130


@dataclass
class Deadline:
    """A time by which to be done, with as much in hand as the longest stretch between two looks at it so far.

    Args:
        minutes: from ``start`` on; None for no limit.
        start: on the clock of ``time.monotonic``.
    """

    minutes: float | None = None
    start: float = field(default_factory=time.monotonic)
    longest: float = 0.0
    _last: float | None = None

    def restart_stretch(self) -> None:
        """Begin a stretch now: what lies between two runs does not repeat."""
        self._last = time.monotonic()

    def __bool__(self) -> bool:
        """Whether another such stretch would end too late."""
        now = time.monotonic()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last)
        self._last = now
        return self.minutes is not None and now + self.longest > self.start + 60 * self.minutes


class StopRequest:
    """While entered, true after the first SIGINT, SIGTERM or SIGHUP, or when the deadline is near; a second signal acts
    as usual.

    Args:
        deadline: asked too.
        patient: further signals do nothing. Launchers of several processes hand on a Ctrl-C that the terminal has sent
            to all of them already.
    """

    def __init__(self, deadline: Deadline | None = None, *, patient: bool = False):
        self.signal_name: str | None = None
        # Not "deadline or ...": to ask it is to measure.
        self.deadline, self.patient = Deadline() if deadline is None else deadline, patient
        self._late = False
        self._previous: dict[int, object] = {}

    def __bool__(self) -> bool:
        # Asked in any case: it measures.
        self._late = bool(self.deadline)
        return self.reason is not None

    @property
    def reason(self) -> str | None:
        """For people: what asked for the stop, of which this process knows; None if nothing did."""
        late = f"--max_minutes {self.deadline.minutes:g}" if self._late else None
        return self.signal_name or late

    def __enter__(self) -> StopRequest:
        self.deadline.restart_stretch()
        # Python takes signals in the main thread only.
        in_main = threading.current_thread() is threading.main_thread()
        for number in (signal.SIGINT, *_ends()) if in_main else ():
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        self._restore()

    def _handle(self, number: int, frame) -> None:
        self.signal_name = signal.Signals(number).name
        if not self.patient:
            self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())


def _ends() -> list[int]:
    """SIGTERM, and SIGHUP where it ends a program: ``nohup`` has it ignored."""
    return [signal.SIGTERM, *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else [])]


@contextlib.contextmanager
def ended_as_by_ctrl_c(*, enabled: bool = True) -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt where nobody listens for a wish to stop: files are closed, a line is
    said.
    """
    # Python takes signals in the main thread only.
    enabled = enabled and threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ends()} if enabled else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the midst of work that takes longer; only the main thread hears of it, others go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame) -> None:
        raise TimeoutError(f"that it takes longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
