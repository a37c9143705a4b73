"""What is drawn for a sample moves its image and its maps alike."""

import numpy as np
import pytest
import torch

from datasets import build_dataset
from datasets.augment import RandomTransform

AS_IT_IS = {"gains": np.ones(1, np.float32), "contrast": 1.0, "blur_px": 0.0}
CORNER = torch.tensor([[[1.0, 0, 0], [0, 0, 0], [0, 0, 0]]])


def test_a_quarter_turn_brings_a_corner_to_the_next():
    # (x, y) -> (2 - y, x) about the centre of 3 x 3 pixels.
    turn = RandomTransform(np.array([[0.0, -1, 2], [1, 0, 0]]), **AS_IT_IS)
    assert turn.apply_to_mask(CORNER)[0].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert turn.apply_to_image(CORNER)[0].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_beyond_the_border_the_image_is_mirrored_and_a_mask_stays_one():
    shift = RandomTransform(np.array([[1.0, 0, 1], [0, 1, 0]]), **AS_IT_IS)
    ramp = torch.tensor([[[0.0, 1, 2]]]).repeat(1, 3, 1)
    assert shift.apply_to_image(ramp)[0, 0].tolist() == [1, 0, 1]
    half = RandomTransform(np.array([[1.0, 0, 0.25], [0, 1, 0]]), **AS_IT_IS)
    assert half.apply_to_mask(CORNER)[0, 0].tolist() == [1, 0, 0]


def test_colours_change_from_black_on_and_around_the_mean():
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    image = torch.tensor([[[-2.0, 0.0]]])
    brighter = RandomTransform(still, np.array([2.0], np.float32), contrast=1.0, blur_px=0.0)
    assert brighter.apply_to_image(image).tolist() == [[[-2, 2]]]
    flatter = RandomTransform(still, np.ones(1, np.float32), contrast=0.5, blur_px=0.0)
    assert flatter.apply_to_image(image).tolist() == [[[-1.5, -0.5]]]


def test_what_is_drawn_depends_on_seed_epoch_and_index_alone(tiny_root):
    dataset = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)
    dataset.augmentation = "full"
    dataset.use_cache("memory", max_gb=1)
    first, again, later = dataset[2, 5], dataset[2, 5], dataset[2, 6]
    assert torch.equal(first["image"], again["image"]) and torch.equal(first["pseudo"], again["pseudo"])
    assert not torch.equal(first["image"], later["image"])
    assert set(first["pseudo"].unique().tolist()) <= {0, 1} and first["image"].dtype == torch.float32


def test_without_flips_the_rest_is_drawn_all_the_same(tiny_root):
    dataset = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=1)
    dataset.augmentation, dataset.flip_probability = "full", 0.0
    assert not torch.equal(dataset[2, 5]["image"], dataset[2, 6]["image"])
    shown = dataset.first_samples(3)
    assert torch.equal(shown[2, 5]["image"], shown[2, 6]["image"])


@pytest.mark.parametrize("seed", range(3))
def test_image_and_mask_stay_together(seed):
    blob = torch.zeros(1, 64, 64)
    blob[:, 20:40, 10:30] = 1
    drawn = RandomTransform.draw(np.random.default_rng(seed), 64, 1)
    image = drawn.moved(blob) > 0.5
    assert (image == (drawn.apply_to_mask(blob) > 0)).float().mean() > 0.99
