"""Distributed data-parallel training (torchrun, DDP): rank, world size, collectives."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from utils.devices import pick_device

# Longer than the slowest thing that one process does while the others wait: writing checkpoints and results.
TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class Group:
    """Process group of a run; with one process, no method communicates.

    Attributes:
        rank: of this process, from 0; the one of rank 0 alone writes.
        size: number of processes.
        on_this_machine: how many of them share this machine.
        device: where tensors have to be to be exchanged.
    """

    rank: int = 0
    size: int = 1
    on_this_machine: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model in DistributedDataParallel, which averages gradients; on one process the model itself."""
        if self.size == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)

    def broadcast_buffers(self, model: nn.Module) -> None:
        """Broadcast rank 0's buffers, which the checkpoint has: batch statistics differ between processes."""
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def mean(self, terms: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
        """All-reduce: means over the whole batch of scalars that are means over each process's part of it.

        Args:
            terms: scalars of equal names on all processes.
            share: the number of samples here, relative to their mean over processes.
        """
        if self.size == 1:
            return dict(terms)
        total = torch.stack([value.detach().float() * share for value in terms.values()]).to(self.device)
        dist.all_reduce(total)
        return dict(zip(terms, total / self.size, strict=True))

    def any(self, flag: bool) -> bool:
        """All-reduce: whether the flag is set on any process."""
        if self.size == 1:
            return flag
        total = torch.tensor([float(flag)], device=self.device)
        dist.all_reduce(total, op=dist.ReduceOp.MAX)
        return bool(total.item())

    def gather(self, value) -> list:
        """All-gather: the values of all processes, by rank, on every one of them."""
        if self.size == 1:
            return [value]
        values: list = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def shard(self, items: Sequence) -> Sequence:
        """This process's shard of a sequence: every ``size``-th from ``rank`` on."""
        return items[self.rank :: self.size]

    def gather_in_order(self, part: Sequence) -> list:
        """Gather a sequence of which every process holds its ``shard``; the inverse of that."""
        parts = self.gather(list(part))
        return [parts[i % self.size][i // self.size] for i in range(sum(map(len, parts)))]

    def barrier(self) -> None:
        if self.size > 1:
            dist.barrier(device_ids=[self.device.index] if self.device.type == "cuda" else None)


SINGLE = Group()


@contextlib.contextmanager
def process_group(device: str | None) -> Iterator[tuple[Group, torch.device]]:
    """Join the processes that torchrun started, if it did, NCCL on GPUs, gloo on CPUs; yields group and own device.

    Args:
        device: as of ``pick_device``; each of several processes on GPUs takes that of its local rank.

    Raises:
        ValueError: for a device that several processes cannot share, or more processes than GPUs.
        OSError: if another process has ended.
    """
    world_size = os.environ.get("WORLD_SIZE", "1")
    if world_size == "1":
        yield SINGLE, pick_device(device)
        return
    numbers = ("WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    lacking = [name for name in numbers if not os.environ.get(name, "").isdigit()]
    if lacking:
        raise ValueError(
            f"WORLD_SIZE={world_size}: expected torchrun to start the processes, found no number in {lacking[0]}; "
            "start with torchrun, or unset WORLD_SIZE"
        )
    size, on_this_machine = int(world_size), int(os.environ["LOCAL_WORLD_SIZE"])
    here = _own_device(device, int(os.environ["LOCAL_RANK"]), on_this_machine)
    if here.type == "cuda":
        torch.cuda.set_device(here)
    dist.init_process_group("nccl" if here.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield Group(dist.get_rank(), size, on_this_machine, here), here
    except RuntimeError as error:
        # gloo has no exception type of its own, but its messages name its source files.
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        # When one process ends, with its own message, all others get an error.
        raise OSError(f"process {dist.get_rank()} of {size} lost another one; see what that one says") from error
    finally:
        dist.destroy_process_group()


def _own_device(choice: str | None, local_rank: int, on_this_machine: int) -> torch.device:
    device = pick_device(choice)
    if device.type == "cpu":
        return device
    if choice not in (None, "cuda"):
        raise ValueError(f"--device {choice}: expected cpu or nothing with several processes, which take a GPU each")
    if on_this_machine > torch.cuda.device_count():
        raise ValueError(
            f"torchrun: expected at most {torch.cuda.device_count()} processes, one a CUDA device, found "
            f"{on_this_machine}; lower --nproc_per_node, or use --device cpu"
        )
    return torch.device("cuda", local_rank)
