"""The training loop, the same for every method: it is given the model, the objective and the data."""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from utils.distributed import SINGLE, Group

# Limits in a row: steps skipped for a loss or gradient that is not finite, and for float16 overflows, each of which
# halves the scale.
MAX_SKIPPED = 10
MAX_OVERFLOWS = 50


@dataclass
class TrainState:
    """Progress of a run: what resuming needs besides weights, optimizer and scaler."""

    iterations_per_epoch: int  # steps in one pass over the training samples
    iteration: int = 0  # steps taken, skipped ones included; it decides the learning rate and the place in the data
    best_performance: float | None = None  # the ensemble's mean of the metric that chooses; None before a validation
    best_iteration: int = 0
    validated: int = 0  # the iteration of the last validation
    skipped: int = 0  # steps not taken, since the loss or a gradient was not finite
    overflows: int = 0  # steps not taken, since float16 overflowed in the gradients alone
    in_a_row: int = 0  # how many of either the last steps were
    skipped_in_a_row: int = 0  # how many of them for a loss or gradient that was not finite
    seconds: float = 0.0  # spent in training, over all calls
    saved: int = field(default=0, compare=False)  # the iteration of the latest checkpoint
    stopped: bool = field(default=False, compare=False)  # set by a hook to end the run after the current step

    @property
    def epoch(self) -> int:
        """The epoch (from 1) of the last step taken."""
        return max(0, self.iteration - 1) // self.iterations_per_epoch + 1


Hook = Callable[[TrainState, dict[str, Tensor], float], None]


def train(
    model: nn.Module,
    objective: Callable[[dict, dict], tuple[Tensor, dict[str, Tensor]]],
    optimizer: torch.optim.Optimizer,
    loader: Iterable[dict],
    *,
    learning_rate: Callable[[int], float],
    state: TrainState,
    device: torch.device,
    autocast: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    scaler: torch.GradScaler | None = None,
    hooks: Sequence[Hook] = (),
    group: Group = SINGLE,
    share: Callable[[int], float] = lambda iteration: 1.0,
    memory_format: torch.memory_format = torch.contiguous_format,
    warn: Callable[[str], None] = print,
) -> None:
    """Take one step for every batch of the loader.

    Args:
        model: maps an image batch to outputs; of several processes, the wrapped one (``Group.wrap``).
        objective: maps outputs and batch to the loss and its detached terms by name, ``loss`` among them: means
            over the batch.
        optimizer: over the model's parameters; its learning rate is set here.
        loader: yields dicts with ``image`` and what the objective needs, from ``state.iteration`` on; of several
            processes, this one's part of each batch.
        learning_rate: from the steps taken to the learning rate of the next.
        state: advanced in place.
        device: where the model is.
        autocast, scaler: of mixed precision; see ``utils.devices.autocast_and_scaler``.
        hooks: called after every step with the state, the terms over the whole batch, and the learning rate.
        group, share: the processes; and this one's samples in an iteration, relative to the mean over processes.
        memory_format: of the images.
        warn: told of a step that is not taken, in a sentence.

    Raises:
        ValueError: if no step could be taken ``MAX_SKIPPED`` times in a row, or ``MAX_OVERFLOWS`` times where float16
            overflows, naming iteration and samples.
    """
    scaler = scaler or torch.GradScaler(device.type, enabled=False)
    model.train()
    since = time.monotonic()
    for batch in loader:
        lr = learning_rate(state.iteration)
        for param_group in optimizer.param_groups:
            param_group["lr"] = lr
        batch = _to_device(batch, device, memory_format)
        buffers = [buffer.clone() for buffer in model.buffers()]
        with autocast():
            outputs = model(batch["image"])
        # In float32: sums over pixels overflow float16, and probabilities near 1 have no gradient in bfloat16.
        loss, terms = objective({name: x.float() for name, x in outputs.items()}, batch)
        part = share(state.iteration)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss * part).backward()
        terms = group.mean(terms, part)
        state.iteration += 1
        problem = take_step(optimizer, scaler, terms, state)
        if problem:
            # The statistics of batch normalisation may have become infinite, for good.
            for buffer, before in zip(model.buffers(), buffers, strict=True):
                buffer.copy_(before)
            # A process without a sample of its own has another's: each is named once.
            _report(problem, state, list(dict.fromkeys(group.gather_in_order(batch.get("name", [])))), warn)
        now = time.monotonic()
        state.seconds, since = state.seconds + now - since, now
        for hook in hooks:
            hook(state, terms, lr)
        if state.stopped:
            break


def take_step(
    optimizer: torch.optim.Optimizer, scaler: torch.GradScaler, terms: dict[str, Tensor], state: TrainState
) -> str | None:
    """Step if the loss and all gradients are finite, else skip and count.

    Every process decides alike: the terms are those of the whole batch, and gradients are averaged already.

    Returns:
        None, or what was wrong.
    """
    scaler.unscale_(optimizer)
    gradients = [p.grad for part in optimizer.param_groups for p in part["params"] if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    loss = terms["loss"]
    finite_loss, finite_norm = torch.stack([loss.isfinite(), norm.isfinite().to(loss.device)]).tolist()
    if finite_loss and finite_norm:
        scaler.step(optimizer)
    scaler.update()
    if finite_loss and finite_norm:
        state.in_a_row = state.skipped_in_a_row = 0
        return None
    state.in_a_row += 1
    if finite_loss and scaler.is_enabled():
        state.overflows += 1
        return f"float16 overflow in the gradients, scale lowered to {scaler.get_scale():g}"
    state.skipped += 1
    state.skipped_in_a_row += 1
    if finite_loss:
        return "a gradient that is not finite"
    return ", ".join(f"{name} {float(value):g}" for name, value in terms.items() if not value.isfinite())


def _report(problem: str, state: TrainState, names: list[str], warn: Callable[[str], None]) -> None:
    overflow = problem.startswith("float16")
    limit, in_a_row = (MAX_OVERFLOWS, state.in_a_row) if overflow else (MAX_SKIPPED, state.skipped_in_a_row)
    where = f"iteration {state.iteration}: expected a finite loss, found {problem}"
    if in_a_row >= limit:
        raise ValueError(
            f"{where}, the {in_a_row}th step in a row that could not be taken; samples: {', '.join(names)}; "
            "look at these images and their maps, lower --lr, or use --amp bf16 or off; earlier checkpoints are intact"
        )
    if not overflow:
        warn(f"{where}; step skipped ({in_a_row} in a row of at most {limit}); samples: {', '.join(names)}")
    elif in_a_row == 1:
        warn(f"{where}; step skipped ({state.overflows} in all)")


def _to_device(batch: dict, device: torch.device, memory_format: torch.memory_format) -> dict:
    moved = {key: x.to(device, non_blocking=True) if isinstance(x, Tensor) else x for key, x in batch.items()}
    if moved["image"].ndim == 4:
        moved["image"] = moved["image"].contiguous(memory_format=memory_format)
    return moved
