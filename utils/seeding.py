"""One seed for every source of randomness."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices). Loaders take their seed as an argument."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
