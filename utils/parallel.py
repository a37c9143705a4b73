"""Parallel map of a function over items: in processes of this machine, or on a Dask cluster."""

import importlib
import os
import pickle
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import joblib

CONNECT_S = 15
# Tasks of each cluster thread, running and queued: enough to hide the latency.
TASKS_A_THREAD = 4
PARENT_CHECK_S = 0.1
# After Ctrl-C joblib's tracker process cleans up, and would warn of files that are already gone after our last line. It
# inherits the interpreter's options from this process.
QUIET_TRACKER = "ignore:resource_tracker:UserWarning"


def map_in_processes(function: Callable, items: Iterable[tuple], workers: int) -> Iterator:
    """Map ``function(*item)`` over items, in order, in ``workers`` processes (-1: one a core) of one thread each.

    The processes end with this one, whatever ends it.

    Raises:
        ChildProcessError: where one of them is killed.
    """
    jobs = (joblib.delayed(function)(*item) for item in items)
    if QUIET_TRACKER not in sys.warnoptions:
        sys.warnoptions.append(QUIET_TRACKER)
    ending = {"initializer": _end_with, "initargs": (os.getpid(),)}
    with joblib.parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1, **ending):
        try:
            yield from joblib.Parallel(return_as="generator")(jobs)
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "expected processes that live to the end, found one that was killed, as happens where memory runs "
                "out; call the same command with fewer --workers"
            ) from error


def _end_with(parent: int) -> None:
    """End this process soon after its parent.

    After a kill of the parent it would finish its task, and overwrite what the next call of the command has made in
    the meantime.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def map_on_dask(function: Callable, items: Iterable[tuple], address: str, shared_folder: Path) -> Iterator:
    """Map ``function(*item)`` over items, in order, on the workers of an existing Dask cluster.

    The cluster is checked at the call, so that a wrong address shows before anything is done.

    Args:
        function: importable on the workers, which must be started with this checkout on their Python path.
        items: taken as the workers ask for them, so there may be any number.
        address: of the scheduler, such as ``tcp://10.0.0.5:8786``.
        shared_folder: a folder that every worker must see under the same path.

    Raises:
        ValueError: where ``distributed`` is not installed, no scheduler answers, there is no worker, or one
            lacks the code or the folder.
        ChildProcessError: while it works, if the scheduler or an item's workers are lost.
    """
    client = _connect(address)
    try:
        _check_workers(client, function.__module__, shared_folder)
    except BaseException:
        client.close()
        raise
    return _results_of(client, function, items)


def _results_of(client, function: Callable, items: Iterable[tuple]) -> Iterator:
    from distributed.scheduler import KilledWorker

    try:
        with client:
            threads = sum(client.nthreads().values())
            waiting: deque = deque()
            for item in items:
                # Results of equal arguments are not reused: the files may have changed in between.
                waiting.append(client.submit(pickle.loads, pickle.dumps(_Call(function, item)), pure=False))
                if len(waiting) >= TASKS_A_THREAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except (KilledWorker, CancelledError) as error:
        what = "the workers of an item ended" if isinstance(error, KilledWorker) else "its scheduler is gone"
        raise ChildProcessError(
            f"--dask: expected a cluster that lives to the end, found that {what}, as happens where memory runs out; "
            "look at its logs, and call the same command again"
        ) from error


class _Call:
    """A call that is executed by unpickling it.

    The scheduler unpickles the arguments of every task but passes bytes on as they are, so that it does not need this
    code.
    """

    def __init__(self, function: Callable, arguments: tuple):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def _connect(address: str):
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError(
            "--dask: expected the package distributed, found none; pip install -r requirements-dask.txt"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ValueError(
            f"--dask: expected a scheduler at {address} within {CONNECT_S} s, found none ({error}); "
            "start one with: dask scheduler"
        ) from error
    if not client.nthreads():
        client.close()
        raise ValueError(f"--dask: expected workers at {address}, found none; start some with: dask worker {address}")
    return client


def _check_workers(client, module: str, folder: Path) -> None:
    from distributed.utils import CancelledError

    try:
        answers = client.run(_what_a_worker_lacks, module, str(folder), on_error="return")
    except (OSError, CancelledError) as error:
        raise ValueError(f"--dask: expected workers that answer, found one that left ({error}); try again") from error
    for worker, answer in answers.items():
        # The function that asks is part of this code, so a worker without it cannot even read the question.
        lacks = f"the code ({answer})" if isinstance(answer, Exception) else answer
        if lacks:
            raise ValueError(
                f"--dask: expected every worker to have this code and to see {folder}, found that {worker} lacks "
                f"{lacks}; start workers with: PYTHONPATH=<this checkout> dask worker ADDRESS"
            )


def _what_a_worker_lacks(module: str, folder: str) -> str | None:
    importlib.import_module(module)
    return None if Path(folder).is_dir() else "the folder"
