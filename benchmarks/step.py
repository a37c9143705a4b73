"""A training step, and feature propagation alone, against the plain formula: time and peak memory.

    python benchmarks/step.py propagation
    python benchmarks/step.py step --batch_size 2
    python benchmarks/step.py step --batch_size 8 --device cuda
    python benchmarks/step.py strong --batch_size 8

A step is forward, loss and backward of the released network (two levels, 224x224), on made images. Each way runs in a
process of its own, for the peak of memory, several times in turn; the median step counts. "Plain formula"
unfolds the features twice, as the formula reads. The floor is the U-Nets alone, each with its cross-entropy. ``strong``
is a step of that recipe, the optimizer's included.
``--to FILE`` appends the printed table.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.table import parser, report
from datasets.specs import DATASETS
from losses import OBJECTIVES
from models import RELEASED_FEATURES, build_model
from models.propagation import propagate
from training.build import build_network, build_optimizer, memory_layout, objective_of
from training.data_options import complete
from training.settings import Settings
from utils.devices import autocast_and_scaler, keep_freed_memory, peak_memory_gb, pick_device

CHANNELS = 128
NUM_STEPS, NUM_STEPS_CUDA = 3, 50
FLOOR, PLAIN = "two plain U-Nets", "plain formula"
# Options of a step beside its way of propagating.
STEPS: dict[str, dict] = {
    FLOOR: {"propagation": "none"},
    f"{FLOOR}, channels_last": {"propagation": "none", "channels_last": True},
    "ours": {},
    "ours, channels_last": {"channels_last": True},
    "ours, bf16": {"amp": "bf16"},
    "ours, bf16, channels_last": {"amp": "bf16", "channels_last": True},
    "ours, compile": {"compile": True},
    "ours, checkpoint_levels": {"checkpoint_levels": True},
    "ours, five levels": {"levels": 5},
    "ours, five levels, checkpoint_levels": {"levels": 5, "checkpoint_levels": True},
    PLAIN: {"propagation": "plain"},
}
MEMORY_KEPT = "and freed memory kept"
# Settings in place of the recipe's.
FULL_SIZE, HALF_SIZE = (128, 64, 32, 24, 16), (128, 64, 32, 24)
STRONG: dict[str, dict] = {
    "decoder up to the image's size, whole encoder trains": {"decoder_channels": FULL_SIZE, "frozen_stages": 0},
    "decoder up to half of it": {"decoder_channels": HALF_SIZE, "frozen_stages": 0},
    "and two stages of the encoder frozen": {"decoder_channels": HALF_SIZE, "frozen_stages": 2},
    MEMORY_KEPT: {"decoder_channels": HALF_SIZE, "frozen_stages": 2},
}
PROPAGATIONS = (PLAIN, "ours", "ours, one channel (as in a step)")


def main() -> None:
    """Run a benchmark, or in a process of its own one of its ways."""
    args = parse_args()
    if args.way:
        print(json.dumps(measure(args)))
        return
    what = WHAT[args.what]
    ways = args.ways or list(what.ways)
    # A round goes through all ways, so that a machine that is slower for a while is so for all of them.
    rounds = [{way: in_a_process_of_its_own(way, args) for way in ways} for _ in range(args.rounds)]
    results = {way: together([results[way] for results in rounds]) for way in ways}
    rows = [row(way, results[way], results[ways[0]]) for way in ways]
    device = torch.cuda.get_device_name() if pick_device(args.device).type == "cuda" else "CPU"
    note = f"{args.size}x{args.size}, float32 where nothing else stands, on {device}. Against: {ways[0]}."
    difference = results.get("ours", {}).get("difference")
    if difference is not None:
        note += f" Largest difference to the plain formula, of outputs and gradients of scale 1: {difference:.1e}."
    report(what.title.format(args.batch_size), rows, [note], ("torch",), args.to)


def parse_args() -> argparse.Namespace:
    options = parser(__doc__, batch_size=2, size=224, features=",".join(map(str, RELEASED_FEATURES)), device="cpu")
    options.add_argument("what", choices=tuple(WHAT))
    options.add_argument("--rounds", type=int, default=2, help="processes for each way")
    options.add_argument("--ways", nargs="+", default=None, help="of the table; the others are held against the first")
    options.add_argument("--way", default=None, help=argparse.SUPPRESS)
    return options.parse_args()


def in_a_process_of_its_own(way: str, args: argparse.Namespace) -> dict:
    """What ``measure`` returns; empty where it failed, which is said."""
    options = {key: getattr(args, key) for key in ("batch_size", "size", "features", "device")}
    command = [sys.executable, __file__, args.what, "--way", way, *(f"--{key}={x}" for key, x in options.items())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        # One that the system killed for want of memory says nothing.
        said = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
        print(f"{way}: {said[-1]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def together(rounds: Sequence[dict]) -> dict:
    """The median of all steps and the highest peak of memory; empty if any round failed."""
    if not all(rounds):
        return {}
    seconds = [value for result in rounds for value in result["seconds"]]
    return {**rounds[0], "seconds": statistics.median(seconds), "gb": max(result["gb"] for result in rounds)}


def row(way: str, result: dict, floor: dict) -> dict[str, str]:
    if not result or not floor:
        return {"way": way, "ms": "failed", "peak memory, GB": "", "time": "", "memory": ""}
    return {
        "way": way,
        "ms": f"{1000 * result['seconds']:.1f}",
        "peak memory, GB": f"{result['gb']:.3f}",
        "time": f"{result['seconds'] / floor['seconds']:.3f}",
        "memory": f"{result['gb'] / floor['gb']:.3f}" if floor["gb"] else "",
    }


def measure(args: argparse.Namespace) -> dict:
    """Seconds of each step and the peak of memory of one way.

    Of a step, above what the libraries take: weights and gradients count. Of propagation, above its input too.
    """
    device = pick_device(args.device)
    torch.manual_seed(0)
    if args.way == MEMORY_KEPT:
        keep_freed_memory()
    before = peak_memory_gb(device)
    step, difference = WHAT[args.what].prepare(args, device)
    if args.what == "propagation":
        before = peak_memory_gb(device)
    seconds = []
    count = NUM_STEPS_CUDA if device.type == "cuda" else NUM_STEPS
    for _ in range(count + 1):
        wait(device)
        began = time.perf_counter()
        step()
        wait(device)
        seconds.append(time.perf_counter() - began)
    gb = peak_memory_gb(device) - before
    # The first step warms up. What is compared comes last, as it would add to the peak.
    return {"seconds": seconds[1:], "gb": gb, "difference": difference() if difference else None}


def training_step(args: argparse.Namespace, device: torch.device) -> tuple[Callable, None]:
    """A step of the ways of ``STEPS``."""
    options = {"levels": 2, "propagation": "ours", "amp": "off", **STEPS[args.way]}
    levels, layout = options["levels"], torch.channels_last if options.get("channels_last") else torch.contiguous_format
    features = tuple(map(int, args.features.split(",")))
    mode = "pure" if options["propagation"] == "none" else "prop"
    model = build_model("unet", in_channels=3, num_levels=levels, cons_mode=mode, features=features)
    model = model.to(device, memory_format=layout).train()
    model.checkpoint_levels = options.get("checkpoint_levels", False)
    if options["propagation"] == "plain":
        model._propagated_logits = lambda level, feature, logits: level.classifier(plain_propagation(feature))
    if options.get("compile"):
        for level in model.model:
            level.compile()
    shape = (args.batch_size, 3, args.size, args.size)
    image = torch.randn(shape, device=device).contiguous(memory_format=layout)
    pseudo = (torch.rand(args.batch_size, levels, args.size, args.size, device=device) > 0.5).float()
    objective = OBJECTIVES["gaze_sup"](cons_mode=mode, cons_weight=0 if options["propagation"] == "none" else 3)
    autocast, scaler = autocast_and_scaler(options["amp"], device)

    def step() -> None:
        model.zero_grad(set_to_none=True)
        with autocast():
            if options["propagation"] == "none":
                loss = floor_loss(model, image, pseudo)
            else:
                loss, _ = objective(model(image), {"pseudo": pseudo})
        scaler.scale(loss).backward()

    return step, None


def strong_step(args: argparse.Namespace, device: torch.device) -> tuple[Callable, None]:
    """A step of the ways of ``STRONG``."""
    settings = Settings.of(
        recipe="strong", data="kvasir", root="unused", rounds=1, pseudo="levels", spatial_size=args.size
    )
    settings = complete(settings, DATASETS["kvasir"]).replace(**STRONG[args.way])
    model = build_network(settings, device, args.batch_size).train()
    optimizer, objective = build_optimizer(settings, model), objective_of(settings)
    shape = (args.batch_size, 3, args.size, args.size)
    image = torch.randn(shape, device=device).contiguous(memory_format=memory_layout(settings, device))
    pseudo = (torch.rand(shape, device=device)[:, :1] > 0.5).float()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        objective(model(image), {"pseudo": pseudo})[0].backward()
        optimizer.step()

    return step, None


def floor_loss(model: nn.Module, image: Tensor, pseudo: Tensor) -> Tensor:
    """The networks and their cross-entropies, and nothing else."""
    logits = [level(image)[1] for level in model.model]
    return sum(F.binary_cross_entropy_with_logits(z, pseudo[:, i, None]) for i, z in enumerate(logits))


def propagation_step(args: argparse.Namespace, device: torch.device) -> tuple[Callable, Callable | None]:
    """Propagation forward and backward of the ways of ``PROPAGATIONS``, and how far ours is from the plain formula."""
    feature = (torch.randn(1, CHANNELS, args.size, args.size, device=device) * 0.3).requires_grad_()
    grad_out = torch.randn_like(feature)
    one, grad_one = torch.randn_like(feature[:, :1]).requires_grad_(), grad_out[:, :1].contiguous()

    def step() -> None:
        feature.grad = None
        if args.way == PLAIN:
            plain_propagation(feature).backward(grad_out)
        elif args.way == "ours":
            propagate(feature, feature).backward(grad_out)
        else:
            propagate(feature, one).backward(grad_one)

    def difference() -> float:
        found, expected = propagate(feature, feature), plain_propagation(feature)
        gradients = [torch.autograd.grad(out, feature, grad_out)[0] for out in (found, expected)]
        pairs = ((found, expected), gradients)
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)

    return step, difference if args.way == "ours" else None


def plain_propagation(feature: Tensor, kernel_size: int = 5, dilation: int = 2) -> Tensor:
    """The formula as it reads, with the neighbourhoods of keys and of values unfolded: (B,C,H,W) -> the same."""
    batch, channels, height, width = feature.shape

    def unfolded() -> Tensor:
        padding = dilation * (kernel_size // 2)
        return F.unfold(feature, kernel_size, dilation, padding).view(batch, channels, -1, height * width)

    similarity = (feature.view(batch, channels, 1, -1) * unfolded()).sum(dim=1).relu()
    return (similarity.softmax(dim=1)[:, None] * unfolded()).sum(dim=2).view_as(feature)


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class What(NamedTuple):
    """What is measured: its ways, the title of its table, and what makes the step of a way."""

    ways: Collection[str]
    title: str
    prepare: Callable[[argparse.Namespace, torch.device], tuple[Callable, Callable | None]]


WHAT = {
    "propagation": What(PROPAGATIONS, f"Propagation of (1,{CHANNELS},n,n)", propagation_step),
    "step": What(STEPS, "A step of batch {}", training_step),
    "strong": What(STRONG, "A step of --recipe strong of batch {}", strong_step),
}


if __name__ == "__main__":
    main()
