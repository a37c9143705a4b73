"""How a process shares the cores that it may use between computing and loading."""

from __future__ import annotations

from typing import NamedTuple

import joblib
import torch

# Where nothing else is asked for: more do not help one GPU (``benchmarks/loader.md``).
NUM_LOADERS = 4
# Physical cores, or what the environment says (``OMP_NUM_THREADS``): later calls in this process are to find it again.
THREADS_AT_START = torch.get_num_threads()


class Cores(NamedTuple):
    """Of one process: the cores that it may use, its computing threads, its loader processes."""

    available: int
    threads: int
    loaders: int


def share_cores(
    device: torch.device, *, threads: int | None = None, loaders: int | None = None, processes: int = 1
) -> Cores:
    """Threads and loader processes that together are no more than the cores: where they are, both wait.

    What a CPU computes depends on the number of threads to the last digit, so that loaders get what threads leave.

    Args:
        device: on a GPU the loaders come first.
        threads: as asked for, else all cores, or as many as torch starts with where those are fewer.
        loaders: as asked for at most, else ``NUM_LOADERS``.
        processes: that share the machine's cores.

    Raises:
        ValueError: for more threads than cores.
    """
    available = max(1, joblib.cpu_count() // processes)
    if threads and threads > available:
        shared = f" of each of {processes} processes" if processes > 1 else ""
        raise ValueError(f"--threads: expected at most {available}, the cores{shared} here, found {threads}")
    wanted = NUM_LOADERS if loaders is None else loaders
    if device.type == "cpu":
        threads = threads or min(available, THREADS_AT_START)
    # The process itself needs a core.
    loaders = min(wanted, available - (threads or 1))
    return Cores(available, threads or available - loaders, loaders)


def use_cores(device: torch.device, **asked) -> Cores:
    """As ``share_cores``; sets torch's threads."""
    cores = share_cores(device, **asked)
    torch.set_num_threads(cores.threads)
    return cores
