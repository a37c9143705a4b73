"""Device, mixed precision (AMP), threads and loader processes, deterministic computation."""

import contextlib
import ctypes
import functools
import os
import resource
import sys
from collections.abc import Callable

import joblib
import torch

# Default number of loader processes: more do not help one GPU (``benchmarks/loader.md``).
NUM_LOADERS = 4
# Physical cores, or ``OMP_NUM_THREADS``; kept, as ``use_cores`` changes torch's own number.
THREADS_AT_START = torch.get_num_threads()
# Parameters of glibc's mallopt: free memory at the end of the heap that goes back to the system, and the number of
# blocks outside of it.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
AMP_DTYPES = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(choice: str | None) -> torch.device:
    """Device from the command line: a CUDA index, ``cuda``, ``cpu``, or None for the GPU if there is one; of several
    CUDA indices (``0,1``) the first. ValueError for another word, or a GPU that is not there."""
    if choice is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    text = str(choice).strip().lower()
    if text == "cpu":
        return torch.device("cpu")
    indices = (text.removeprefix("cuda").removeprefix(":") or "0").split(",")
    if not all(index.isdigit() for index in indices):
        raise ValueError(f"--device: expected a CUDA index or cpu, found {choice!r}")
    index = indices[0]
    if int(index) >= torch.cuda.device_count():
        raise ValueError(
            f"--device {choice}: expected one of {torch.cuda.device_count()} CUDA devices; use --device cpu"
        )
    return torch.device("cuda", int(index))


def fastest_layout(device: torch.device) -> torch.memory_format:
    """Memory format of images and weights: channels_last on a CPU, where that is faster (``benchmarks/step.md``);
    on a GPU it has not been measured."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def autocast_and_scaler(
    amp: str, device: torch.device
) -> tuple[Callable[[], contextlib.AbstractContextManager], torch.GradScaler]:
    """The autocast context and the gradient scaler of a run.

    Args:
        amp: a key of ``AMP_DTYPES``; only float16 needs its gradients scaled.
        device: where the model is.
    """
    dtype = AMP_DTYPES[amp]
    autocast = functools.partial(torch.autocast, device.type, dtype=dtype, enabled=dtype is not None)
    return autocast, torch.GradScaler(device.type, enabled=dtype is torch.float16)


def resolve_amp(amp: str | None, fp16: bool, device: torch.device) -> str:
    """The mixed precision mode that ``--amp`` names, or else ``--fp16``: float16 on a GPU, bfloat16 on a CPU, whose
    float16 arithmetic is slow; ``auto`` is bfloat16 where the device has it, else float32."""
    if amp == "auto":
        return "bf16" if has_bfloat16(device) else "off"
    if amp is not None:
        return amp
    return ("fp16" if device.type == "cuda" else "bf16") if fp16 else "off"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes bfloat16 natively: where it can only emulate that, it takes ten times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def make_deterministic(device: torch.device) -> None:
    """Deterministic algorithms on CUDA, at some cost; a CPU is deterministic anyway. An operation without one raises a
    RuntimeError that names it."""
    if device.type != "cuda":
        return
    # cuBLAS reads it when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next training step; the numbers stay the same.

    Otherwise large blocks go back to the system, which has to clear them anew in each step (``benchmarks/step.md``).
    The peak is a tenth higher at most there. Without effect where there is no ``mallopt``.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_TRIM_THRESHOLD, -1)
        mallopt(M_MMAP_MAX, 0)


def peak_memory_gb(device: torch.device) -> float:
    """Peak memory so far, in 1e9 bytes: of tensors on the GPU, or of this process where it runs on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def device_name(device: torch.device) -> str:
    """The device with the name of its GPU, for messages."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def use_cores(
    device: torch.device, *, threads: int | None = None, loaders: int | None = None, processes: int = 1
) -> tuple[int, int]:
    """Share the cores between torch's threads, which are set, and loader processes; with more, both would wait.

    The last digits of results on a CPU depend on the number of threads, so loaders get the cores that threads leave.

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
    threads = threads or available - loaders
    torch.set_num_threads(threads)
    return threads, loaders
