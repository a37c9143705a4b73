import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.parallel import map_in_processes

REPOSITORY = Path(__file__).resolve().parents[2]
GET_PID = "__import__('os').getpid()"
KILL_YOURSELF = "__import__('os').kill(__import__('os').getpid(), 9)"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # One that ended and that nobody waited for is not at work.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")


def test_results_in_order():
    assert list(map_in_processes(pow, [(2, power) for power in range(20)], 2)) == [2**power for power in range(20)]


@pytest.mark.parametrize("stop", ["SIGKILL", "SIGTERM"])
def test_processes_end_with_the_one_that_started_them(stop):
    driver = f"""
import os, signal
from utils.parallel import map_in_processes
if __name__ == "__main__":
    results = map_in_processes(eval, [({GET_PID!r},)] * 4 + [("__import__('time').sleep(60)",)] * 4, 2)
    print(*[next(results) for _ in range(4)], flush=True)
    os.kill(os.getpid(), signal.{stop})
"""
    # Not to a pipe, whose end would be waited for.
    done = subprocess.Popen([sys.executable, "-c", driver], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    processes = {int(process) for process in done.stdout.readline().split()}
    done.wait(timeout=30)
    done.stdout.close()
    assert processes and done.pid not in processes
    deadline = time.monotonic() + 5
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = [process for process in processes if _is_alive(process)]
    for process in left:
        os.kill(process, 9)
    assert not left


def test_process_that_is_killed_is_an_error_of_the_system():
    with pytest.raises(ChildProcessError, match=r"found one that was killed, .*memory.*; .* fewer --workers"):
        list(map_in_processes(eval, [(KILL_YOURSELF,)] * 2, 2))


def test_joblibs_tracker_says_nothing_behind_our_last_words():
    """What is left after Ctrl-C may be gone already; here two things that never were."""
    code = """
import math
from utils.parallel import map_in_processes
results = map_in_processes(math.sqrt, [(4.0,), (9.0,)], 2)
next(results)
from joblib.externals.loky.backend import resource_tracker
resource_tracker.register("/no/such/folder", "folder")
resource_tracker.register("/nosuchsemaphore", "semlock")
list(results)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
