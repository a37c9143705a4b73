"""Data loaders: training batches from one iteration to another, over all epochs, and batches for evaluation."""

import atexit
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

# Batches made ahead by all loader processes together, at least one each. More would fill the 64 MB of /dev/shm that
# containers mostly have: a batch of the released recipe takes 8.
NUM_PREFETCHED = 4


@dataclass(eq=False, repr=False)
class IterationSampler(Sampler[list[tuple[int, int]]]):
    """Deterministic, resumable batch sampler, sharded over ranks.

    Gives batches of (index, epoch) for iterations ``start`` up to ``stop``.

    Epoch e visits every sample once, in an order drawn from (seed, e); its last batch may be smaller. The
    batch of an iteration depends on nothing else, so a run can start again anywhere.

    Args:
        num_samples: size of the data set, 1 or more.
        batch_size: 1 or more.
        start, stop: iterations, counted from 0.
        seed: of the order.
        rank, size: of several processes that share each batch: this one gets every ``size``-th sample from ``rank``
            on. Where a last batch is too small for all, it gets the first sample, with a share of 0.
    """

    num_samples: int
    batch_size: int
    _: KW_ONLY
    start: int = 0
    stop: int
    seed: int
    rank: int = 0
    size: int = 1

    @property
    def iterations_per_epoch(self) -> int:
        """Batches in one pass over the data set, the smaller last one counted."""
        return -(-self.num_samples // self.batch_size)

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, order = -1, []
        for iteration in range(self.start, self.stop):
            if iteration // self.iterations_per_epoch != epoch:
                epoch = iteration // self.iterations_per_epoch
                order = np.random.default_rng([self.seed, 3, epoch]).permutation(self.num_samples).tolist()
            batch = [(order[position], epoch) for position in self._positions(iteration)]
            yield batch[self.rank :: self.size] or batch[:1]

    def share(self, iteration: int) -> float:
        """The samples of an iteration that this process has, relative to their mean over processes; 1 for one."""
        batch = self._positions(iteration)
        return len(batch[self.rank :: self.size]) * self.size / len(batch)

    def _positions(self, iteration: int) -> range:
        first = iteration % self.iterations_per_epoch * self.batch_size
        return range(first, min(first + self.batch_size, self.num_samples))


def training_loader(
    dataset: Dataset,
    *,
    max_ite: int,
    seed: int = 0,
    num_worker: int = 0,
    pin_memory: bool = False,
    **order: int,
) -> DataLoader:
    """A loader for the training loop.

    Args:
        dataset: of one or more samples, which takes the keys (index, epoch).
        max_ite: iterations, to the end of the run.
        num_worker: loader processes; the batches do not depend on it.
        seed, order: which samples, as of ``IterationSampler``.

    Returns:
        A loader of a batch an iteration from ``start`` on, none where that is the end: dicts of ``image`` (B,C,H,W),
        ``label`` and ``ignore`` (B,1,H,W) and ``pseudo`` (B,L,H,W), as far as the data set has them, and ``name``.
    """
    sampler = IterationSampler(len(dataset), stop=max_ite, seed=seed, **order)
    return DataLoader(dataset, batch_sampler=sampler, pin_memory=pin_memory, **worker_options(num_worker, seed))


def evaluation_loader(
    dataset: Dataset, *, batch_size: int, num_worker: int = 0, pin_memory: bool = False
) -> DataLoader:
    """A loader over the data set once, in order.

    Returns:
        A loader of dicts: ``image`` (B,C,H,W); ``label``, and ``ignore`` where the data set has it, lists of (1,h,w)
        bool, since labels keep their own sizes; ``name`` a list. The last batch may be smaller.
    """
    options = {"pin_memory": pin_memory, "collate_fn": _collate_full_size, **worker_options(num_worker)}
    return DataLoader(dataset, batch_size=batch_size, **options)


def worker_options(num_worker: int, seed: int = 0) -> dict:
    """DataLoader options of all loaders; ``seed`` is of their processes: the run's generator is left alone."""
    return {
        "num_workers": num_worker,
        "prefetch_factor": -(-NUM_PREFETCHED // num_worker) if num_worker else None,
        "worker_init_fn": _ignore_signals,
        "generator": torch.Generator().manual_seed(seed),
    }


def _collate_full_size(samples: list[dict]) -> dict:
    """Collate function: images stacked, labels of their own sizes in lists."""
    batch = {key: [sample[key] for sample in samples] for key in samples[0]}
    for key in {"label", "ignore"} & set(batch):
        # A quarter of the shared memory.
        batch[key] = [label.bool() for label in batch[key]]
    return {**batch, "image": torch.stack(batch["image"])}


def _ignore_signals(_worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM in a loader process, which ends with its parent all the same.

    Terminals and queues signal the whole group; a loader that dies of it would fail the parent, which saves first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _end_loader_processes() -> None:
    """Kill the loader processes that are left: Python's own way, SIGTERM and waiting, would wait for ever."""
    # torch's handler would report the ends as failures of a loader.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()


# Before multiprocessing's own handler, which was registered earlier.
atexit.register(_end_loader_processes)
