"""Work that takes too long is stopped, and nothing of the clock is left."""

import re
import signal
import threading
import time

import pytest

from utils.interrupt import time_limit


def test_what_takes_longer_is_stopped_and_what_does_not_is_left_alone():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match=r"longer than 0\.05 s"), time_limit(0.05):
        re.match("(a+)+$", "a" * 60 + "b")
    with time_limit(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is before


def test_another_thread_goes_on():
    done = []

    def work():
        with time_limit(1e-9):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
