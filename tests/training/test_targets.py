"""Training masks without any foreground."""

import pytest
import torch

from training.targets import warn_of_empty_targets


def batches(kind, *levels_of_batches):
    """Two images each, with a pixel of foreground in the second one where a level has some."""
    for levels in levels_of_batches:
        masks = torch.zeros(2, len(levels), 2, 2)
        masks[1, :, 0, 1] = torch.tensor(levels)
        yield {kind: masks}


@pytest.mark.parametrize(
    ("kind", "levels", "said"),
    [
        ("pseudo", [(1.0, 1.0), (0.0, 0.0), (0.0, 0.0)], None),
        ("pseudo", [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)], None),
        (
            "pseudo",
            [(0.0, 1.0), (0.0, 0.0), (1.0, 1.0)],
            "the pseudo-masks of level 1 of all 4 images so far",
        ),
        ("pseudo", [(0.0, 0.0), (0.0, 0.0)], "the pseudo-masks of level 1, 2 of all 4 images"),
        ("label", [(0.0,), (0.0,)], "the masks of all 4 images so far are empty: nothing to learn; look at masks/"),
        ("label", [(0.0,), (1.0,)], None),
    ],
)
def test_levels_without_foreground_in_the_first_two_batches(kind, levels, said):
    told = []
    assert len(list(warn_of_empty_targets(batches(kind, *levels), 2, told.append))) == len(levels)
    assert len(told) == (said is not None) and all(said in line for line in told)
