"""Seeding of all random generators, and their states for a checkpoint."""

import random

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices). Loaders take their seed as an argument."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states() -> dict:
    """The states of Python's, NumPy's and torch's generators (all devices), as plain values and tensors."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states: dict) -> None:
    """Set the generators to what ``random_states`` returned; GPUs only where there are as many as then.

    Raises:
        ValueError: for states that the generators do not take.
    """
    try:
        version, internal, gauss = states["python"]
        random.setstate((version, tuple(internal), gauss))
        name, keys, position, has_gauss, numpy_gauss = states["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, numpy_gauss))
        torch.set_rng_state(states["torch"])
        if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(states["cuda"])
    except (LookupError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise ValueError(f"random: expected the states of the generators, found others ({reason})") from error
