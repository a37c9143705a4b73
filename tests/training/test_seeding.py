"""One seed for every source of randomness, and their states for a checkpoint."""

import random

import numpy as np
import pytest
import torch

from training.seeding import random_states, restore_random_states, seed_everything


def _draw():
    """Gaussians too: Python and NumPy make two at a time and keep the second."""
    values = random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(()).item()
    return (*values, torch.rand((), device="cuda").item()) if torch.cuda.is_available() else values


def _draws(seed):
    seed_everything(seed)
    return _draw()


@pytest.mark.parametrize("seed", [0, 2**32 + 1])
def test_same_seed_same_numbers(seed):
    assert _draws(seed) == _draws(seed)


def test_every_source_follows_the_seed():
    assert not set(_draws(0)) & set(_draws(1))


def test_restored_states_give_the_numbers_that_would_have_come(tmp_path):
    _draws(3)
    # As a checkpoint keeps and reads them.
    torch.save(random_states(), tmp_path / "states.pth")
    expected = _draw()
    _draws(4)
    restore_random_states(torch.load(tmp_path / "states.pth", weights_only=True))
    assert _draw() == expected
