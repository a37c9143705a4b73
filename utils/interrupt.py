"""Graceful shutdown between two steps on SIGINT, SIGTERM, SIGHUP or a deadline; and a timeout for a piece of work."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

# Exit codes: done except for some images, which are named; stopped, can be continued (the shell's code for Ctrl-C).
PARTLY_DONE_CODE, STOPPED_CODE = 1, 130


@dataclass
class Deadline:
    """Deadline, less a margin: the longest time between two checks of it so far.

    Args:
        minutes: from ``start`` on; None for no limit.
        start: on the clock of ``time.monotonic``.
    """

    minutes: float | None = None
    start: float = field(default_factory=time.monotonic)
    longest: float = 0.0
    _last: float | None = None

    def restart_stretch(self) -> None:
        """Start a stretch now: the time between two runs does not count."""
        self._last = time.monotonic()

    def __bool__(self) -> bool:
        """Whether another such stretch would end too late."""
        now = time.monotonic()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last)
        self._last = now
        return self.minutes is not None and now + self.longest > self.start + 60 * self.minutes


class StopRequest:
    """Flag of a graceful shutdown: while entered, true after the first SIGINT, SIGTERM or SIGHUP, or when the deadline
    is near; a second signal acts as usual.

    Args:
        deadline: checked too.
        patient: further signals do nothing. Launchers of several processes forward a Ctrl-C that the terminal has sent
            to all of them already.
    """

    def __init__(self, deadline: Deadline | None = None, *, patient: bool = False):
        self.signal_name: str | None = None
        # Not "deadline or ...": its truth value measures time.
        self.deadline, self.patient = Deadline() if deadline is None else deadline, patient
        self._late = False
        self._handling = contextlib.ExitStack()

    def __bool__(self) -> bool:
        # Checked in any case: it measures time.
        self._late = bool(self.deadline)
        return self.reason is not None

    @property
    def reason(self) -> str | None:
        """The signal or option behind the stop, for messages; None if there is none in this process."""
        late = f"--max_minutes {self.deadline.minutes:g}" if self._late else None
        return self.signal_name or late

    def __enter__(self) -> StopRequest:
        self.deadline.restart_stretch()
        self._handling.enter_context(_signal_handlers(self._handle, signal.SIGINT, *_ends()))
        return self

    def __exit__(self, *_) -> None:
        self._handling.close()

    def _handle(self, number: int, frame) -> None:
        self.signal_name = signal.Signals(number).name
        if not self.patient:
            self._handling.close()


def _ends() -> list[int]:
    """The signals that end a program: SIGTERM, and SIGHUP unless ``nohup`` ignores it."""
    return [signal.SIGTERM, *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else [])]


@contextlib.contextmanager
def _signal_handlers(handler: Callable, *numbers: int) -> Iterator[bool]:
    """Install a signal handler in the main thread, the only one where Python allows it; yields whether this is it."""
    in_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in numbers if in_main}
    try:
        yield in_main
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


def signals_raise_keyboard_interrupt() -> contextlib.AbstractContextManager:
    """SIGTERM and SIGHUP raise KeyboardInterrupt where no ``StopRequest`` handles them, so that files are closed."""
    return _signal_handlers(signal.default_int_handler, *_ends())


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in work that takes longer; in the main thread alone, others have no limit."""

    def stop(number, frame) -> None:
        raise TimeoutError(f"that it takes longer than {seconds:g} s")

    with _signal_handlers(stop, signal.SIGALRM) as is_heard:
        if is_heard:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            if is_heard:
                signal.setitimer(signal.ITIMER_REAL, 0)
