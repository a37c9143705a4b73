"""The wish to stop: heard once, and the second time as usual."""

import signal
import time

import pytest

from utils.interrupt import Deadline, StopRequest, sigterm_as_ctrl_c


@pytest.fixture(autouse=True)
def handlers_stay_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)
    assert after == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_first_signal_is_a_wish(name):
    with StopRequest() as stop:
        assert not stop and stop.signal_name is None
        signal.raise_signal(signal.Signals[name])
        assert stop and stop.signal_name == name


def test_second_ctrl_c_acts_as_usual():
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop
        signal.raise_signal(signal.SIGINT)


def test_second_signal_of_another_kind_acts_as_usual():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)


def test_without_a_signal_nothing_is_asked_for():
    with StopRequest() as stop:
        pass
    assert not stop


def test_ctrl_c_afterwards_acts_as_usual():
    with StopRequest():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_handlers_come_back_after_an_error():
    with pytest.raises(RuntimeError), StopRequest():
        raise RuntimeError


def test_signals_after_the_first_do_nothing_to_the_patient():
    with StopRequest(patient=True) as stop:
        for name in ("SIGINT", "SIGINT", "SIGTERM"):
            signal.raise_signal(signal.Signals[name])
        assert stop and stop.signal_name == "SIGTERM"


def test_a_deadline_keeps_the_longest_stretch_in_hand():
    deadline = Deadline(minutes=1, start=time.monotonic() - 30)
    assert not deadline  # 30 s left, and nothing is known to take long
    deadline._last -= 29
    assert not deadline and deadline.longest == pytest.approx(29, abs=0.5)
    deadline._last -= 31
    assert deadline  # the next stretch would end too late
    assert deadline.longest == pytest.approx(31, abs=0.5)


def test_what_lies_between_two_runs_is_no_stretch():
    deadline = Deadline(minutes=1)
    deadline._last = time.monotonic() - 1000
    with StopRequest(deadline) as stop:
        assert not stop


def test_without_minutes_there_is_no_end():
    assert not Deadline(start=time.monotonic() - 1e9)


def test_a_stop_says_what_asked_for_it():
    with StopRequest(Deadline(minutes=1e-9)) as stop:
        assert stop and stop.reason == "--max_minutes 1e-09"
        signal.raise_signal(signal.SIGTERM)
        assert stop.reason == "SIGTERM"


def test_a_process_that_was_not_asked_has_no_reason():
    """The others of a group may have been."""
    with StopRequest() as stop:
        assert not stop and stop.reason is None
    with StopRequest(Deadline(minutes=9)) as stop:
        assert not stop and stop.reason is None


def test_sigterm_outside_of_training_ends_as_ctrl_c_does():
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop.signal_name == "SIGTERM"
        signal.raise_signal(signal.SIGTERM)
