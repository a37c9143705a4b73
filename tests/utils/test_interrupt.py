"""The wish to stop: heard once, and the second time as usual."""

import signal
import threading
import time

import pytest

from utils.interrupt import Deadline, StopRequest, signals_raise_keyboard_interrupt

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_stay_as_they_were():
    # Whoever runs the tests in the background may have them ignored.
    usual = [signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL]
    before = [signal.signal(number, handler) for number, handler in zip(SIGNALS, usual, strict=True)]
    yield
    after = [signal.signal(number, handler) for number, handler in zip(SIGNALS, before, strict=True)]
    assert after == usual


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_end_outside_of_training_is_as_by_ctrl_c(name):
    with pytest.raises(KeyboardInterrupt), signals_raise_keyboard_interrupt():
        with StopRequest() as stop:
            signal.raise_signal(signal.Signals[name])
            assert stop.signal_name == name
        signal.raise_signal(signal.Signals[name])


def test_what_nohup_has_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_raise_keyboard_interrupt(), StopRequest() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_there_are_no_signals_to_take():
    found = []

    def ask():
        with StopRequest(Deadline(1e-9)) as stop:
            found.append(bool(stop))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == [True]
