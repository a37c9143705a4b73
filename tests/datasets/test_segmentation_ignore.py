"""Pixels that are not to be scored, from the settings of a folder to its samples and batches."""

import numpy as np
import pytest
import torch
from PIL import Image

from datasets import build_dataset, io
from datasets.loaders import evaluation_loader, training_loader

# 0 around, 1 in the middle, 255 between them and along the left.
MASK = np.zeros((6, 8), np.uint8)
MASK[1:5, 2:7] = MASK[:, 0] = 255
MASK[2:4, 3:6] = 1


@pytest.fixture
def root(tmp_path):
    """Two training images, one to test on, and a settings file."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(MASK).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "test.txt").write_text("c\n")
    (tmp_path / "dataset.toml").write_text("ignore_value = 255")
    return tmp_path


def _build(root, split="train", **options):
    return build_dataset("folder", **{"root": root, "split": split, "spatial_size": 16, "augment": False, **options})


def test_labels_and_ignored_pixels_at_full_size(root):
    sample = _build(root, "test")[0]
    assert sample["label"].dtype == sample["ignore"].dtype == torch.float32
    np.testing.assert_array_equal(sample["label"][0], MASK == 1)
    np.testing.assert_array_equal(sample["ignore"][0], MASK == 255)


@pytest.mark.parametrize("size", [3, 4, 16, 24])
def test_resizing_takes_both_from_the_nearest_pixel(root, size):
    sample = _build(root, spatial_size=size)[0]
    rows, columns = (np.arange(size) * side // size for side in MASK.shape)
    nearest = MASK[np.ix_(rows, columns)]
    np.testing.assert_array_equal(sample["label"][0], nearest == 1)
    np.testing.assert_array_equal(sample["ignore"][0], nearest == 255)


def test_flips_carry_them(root):
    plain, flipped = _build(root)[0], _build(root, augment=True)
    flipped.flip_probability = 1.0
    for key in ("image", "label", "ignore"):
        assert torch.equal(flipped[0][key], plain[key].flip([-1, -2]))


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_they_come_out_of_the_cache_as_they_were(root, kind):
    expected = [_build(root)[index] for index in range(2)]
    cached = _build(root)
    cached.use_cache(kind, max_gb=1)
    for _ in range(2):
        assert all(torch.equal(cached[i][key], expected[i][key]) for i in range(2) for key in ("label", "ignore"))


def test_another_ignore_value_is_another_cache_file(root):
    _build(root).use_cache("disk", max_gb=1)
    (root / "dataset.toml").write_text("ignore_value = 254")
    with pytest.raises(ValueError, match=r"a\.png: expected 0, .* and ignore_value 254, found the values 0"):
        _build(root)
    for path in (root / "masks").iterdir():
        Image.fromarray(np.where(MASK == 255, 254, MASK).astype(np.uint8)).save(path)
    again = _build(root)
    again.use_cache("disk", max_gb=1)
    assert again[0]["ignore"].any() and len(list((root / ".cache").iterdir())) >= 2


def test_batches_have_them_stacked_for_training_and_listed_for_evaluation(root):
    batch = next(iter(training_loader(_build(root), batch_size=2, max_ite=1)))
    assert batch["label"].shape == batch["ignore"].shape == (2, 1, 16, 16)
    batch = next(iter(evaluation_loader(_build(root, "test"), batch_size=1)))
    assert [x.dtype for x in (*batch["label"], *batch["ignore"])] == [torch.bool] * 2


def test_without_an_ignore_value_there_are_none_and_such_masks_are_refused(root):
    (root / "dataset.toml").write_text("")
    with pytest.raises(ValueError, match=r"a\.png: .* found the values 0, 1, 255, .* ignore_value in dataset\.toml"):
        _build(root)
    for path in (root / "masks").iterdir():
        Image.fromarray((MASK == 1).astype(np.uint8)).save(path)
    assert "ignore" not in _build(root)[0]


def test_samples_without_labels_have_none(root):
    assert set(_build(root, has_labels=False)[0]) == {"image", "name"}


def test_one_bit_beside_255_is_refused(tmp_path):
    """Pillow makes 255 of it: foreground, or ignored?"""
    Image.fromarray(np.eye(4, dtype=bool)).save(tmp_path / "a.png")
    assert io.read_label(tmp_path / "a.png", 2).mask.sum() == 4
    with pytest.raises(
        ValueError, match="expected 8 bits where ignore_value is 255, found one bit; save it as 0 and 1"
    ):
        io.read_label(tmp_path / "a.png", 255)
