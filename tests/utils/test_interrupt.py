"""The wish to stop: heard once, and the second time as usual."""

import signal

import pytest

from utils.interrupt import StopRequest


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
