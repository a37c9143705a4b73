"""Optimizers, and learning rate schedules: one value an epoch, as released, or one an iteration."""

import functools
import math
from collections.abc import Callable

import torch

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": functools.partial(torch.optim.SGD, momentum=0.99, nesterov=True),
    "adam": torch.optim.Adam,
    # Fused: one pass over the weights, which saves a small network time on a CPU, too.
    "adamw": functools.partial(torch.optim.AdamW, fused=True),
}


def _cosine(done: float, lr: float, lr_min: float) -> float:
    return lr_min + (lr - lr_min) * (1 + math.cos(math.pi * done)) / 2


# Learning rate from ``lr`` to ``lr_min`` by progress, in 0..1.
SCHEDULERS: dict[str, Callable[[float, float, float], float]] = {
    "cosine": _cosine,
    "linear": lambda done, lr, lr_min: lr + (lr_min - lr) * done,
    "poly": lambda done, lr, lr_min: lr_min + (lr - lr_min) * (1 - done) ** 0.9,
    "constant": lambda done, lr, lr_min: lr,
    # One value an iteration, after a linear warm-up (Smith and Topin, arXiv 1708.07120).
    "onecycle": _cosine,
}
# Default warm-up, as a share of the iterations.
ONECYCLE_WARMUP = 0.15


def learning_rate(
    index: int, *, scheduler: str = "cosine", lr: float, lr_min: float, total_epochs: int, warmup_epochs: int = 0
) -> float:
    """Learning rate at entry ``index`` (from 0) of the schedule.

    The first ``warmup_epochs`` entries rise linearly to ``lr``; the others follow the scheduler, whose last
    entry, ``total_epochs - 1``, is ``lr_min``.
    """
    if index < warmup_epochs:
        return lr * (index + 1) / warmup_epochs
    done = (index + 1 - warmup_epochs) / max(1, total_epochs - warmup_epochs)
    return SCHEDULERS[scheduler](min(done, 1.0), lr, lr_min)


def schedule(settings, iterations_per_epoch: int) -> Callable[[int], float]:
    """Schedule: a function from an iteration (from 0) to its learning rate, one an iteration with ``onecycle``, else
    one an epoch.

    The reference advances its epoch after reading the schedule, so the first two epochs share entry 0 and every later
    one lags by one. Kept, since the released numbers come from it.

    Args:
        settings: of the training; ``lr_scheduler``, ``lr``, ``lr_min``, ``max_ite`` and ``warmup_ite`` count.
    """
    common = {"scheduler": settings.lr_scheduler, "lr": settings.lr, "lr_min": settings.lr_min}
    if settings.lr_scheduler == "onecycle":
        warmup = settings.warmup_ite or round(ONECYCLE_WARMUP * settings.max_ite)
        return lambda ite: learning_rate(ite, total_epochs=settings.max_ite, warmup_epochs=warmup, **common)
    # 133 for 15,000 iterations of 113.
    epochs, warmup = settings.max_ite // iterations_per_epoch + 1, -(-settings.warmup_ite // iterations_per_epoch)
    return lambda ite: learning_rate(
        max(ite // iterations_per_epoch - 1, 0), total_epochs=epochs, warmup_epochs=warmup, **common
    )
