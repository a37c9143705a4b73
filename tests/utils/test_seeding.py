"""One seed for every source of randomness."""

import random

import numpy as np
import pytest
import torch

from utils.seeding import seed_everything


def _draws(seed):
    seed_everything(seed)
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize("seed", [0, 2**32 + 1])
def test_same_seed_same_numbers(seed):
    assert _draws(seed) == _draws(seed)


def test_every_source_follows_the_seed():
    assert not set(_draws(0)) & set(_draws(1))
