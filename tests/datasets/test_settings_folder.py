"""Any folder of images: endings, settings and refusals as the data set sees them."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from datasets import build_dataset, io
from datasets.files import sample_path
from datasets.specs import get_spec

SIZE = 32


def _build(root, split="train", **options):
    levels = {"num_levels": 2} if split == "train" else {}
    return build_dataset("folder", **{"root": root, "split": split, "spatial_size": SIZE, **levels, **options})


def _convert(path, ending, values=None):
    """Save an image under another ending and remove the old file."""
    with Image.open(path) as image:
        pixels = np.array(image) if values is None else values
    path.unlink()
    Image.fromarray(pixels).save(path.with_suffix(ending))
    return path.with_suffix(ending)


def test_a_kvasir_folder_gives_the_same_samples(tiny_root):
    for split in ("train", "test"):
        ours, kvasir = (
            build_dataset(data, root=tiny_root, split=split, spatial_size=SIZE, num_levels=3, augment=False)
            for data in ("folder", "kvasir")
        )
        assert ours.names == kvasir.names
        for a, b in zip(ours, kvasir, strict=True):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[key], b[key]) for key in a if key != "name")


def test_every_sample_may_have_its_own_endings(tiny_root):
    before = _build(tiny_root, augment=False)[1]
    _convert(tiny_root / "images" / "polyp1.jpg", ".PNG")
    second = _convert(tiny_root / "images" / "polyp2.jpg", ".bmp")
    _convert(tiny_root / "masks" / "polyp2.jpg", ".tif")
    _convert(tiny_root / "gaze" / "crf_compat1" / "polyp2.jpg", ".png")
    dataset = _build(tiny_root, augment=False)
    assert dataset.path("images", "polyp2") == second
    assert all(torch.equal(before[key], dataset[1][key]) for key in ("image", "label", "pseudo"))


@pytest.mark.parametrize(("data", "own", "other"), [("kvasir", ".jpg", ".png"), ("prostate", ".png", ".jpg")])
def test_maps_are_read_under_both_endings_the_data_sets_own_first(tmp_path, data, own, other):
    spec, folder = get_spec(data), tmp_path / "gaze" / "crf_compat1"
    folder.mkdir(parents=True)
    assert sample_path(spec, tmp_path, "map", "a") == folder / f"a{own}"
    for ending in (other, own):
        (folder / f"a{ending}").touch()
        assert sample_path(spec, tmp_path, "map", "a") == folder / f"a{ending}"


@pytest.mark.parametrize("folder", ["images", "masks", "gaze/crf_compat1"])
def test_two_files_of_one_id_are_found_before_training(tiny_root, folder):
    Image.new("L", (46, 42)).save(tiny_root / folder / "polyp2.png")
    with pytest.raises(ValueError, match=r"polyp2\.\w+: expected one file of the id polyp2, found polyp2\.\w+ beside"):
        _build(tiny_root)


def test_a_missing_image_names_the_endings_that_would_do(tiny_root):
    (tiny_root / "images" / "polyp2.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 6 .*polyp2\.png; put .* \(\.png, \.jpg, .*\.dcm, \.dicom\)"):
        _build(tiny_root)


class TestOneChannel:
    @pytest.fixture
    def root(self, tiny_root, write_dicom):
        (tiny_root / "dataset.toml").write_text("channels = 1\nthresholds = [0.5, 0.3, 0.2]\n")
        rng = np.random.default_rng(0)
        _convert(tiny_root / "images" / "polyp1.jpg", ".tiff", rng.random((40, 48), np.float32))
        _convert(tiny_root / "images" / "polyp2.jpg", ".png", rng.integers(0, 65536, (42, 46)).astype(np.uint16))
        (tiny_root / "images" / "polyp3.jpg").unlink()
        write_dicom(tiny_root / "images" / "polyp3.dicom", rng.integers(0, 4096, (38, 50)))
        return tiny_root

    def test_deep_grey_colour_and_dicom_side_by_side(self, root):
        dataset = _build(root, num_levels=3, augment=False)
        for sample in dataset:
            assert sample["image"].shape == (1, SIZE, SIZE)
            assert sample["pseudo"].shape == (3, SIZE, SIZE)
            # The z-score is taken before the resizing, which averages some noise away.
            assert abs(float(sample["image"].mean())) < 0.3
            assert 0.3 < float(sample["image"].std()) < 1.3

    def test_without_the_setting_the_first_deep_image_is_named_before_training(self, root):
        (root / "dataset.toml").unlink()
        with pytest.raises(ValueError, match=r'polyp1\.tiff: expected an 8-bit .*; set normalisation = "zscore"'):
            _build(root)

    def test_more_levels_than_thresholds(self, root):
        with pytest.raises(ValueError, match="thresholds: expected 4, one a level"):
            _build(root, num_levels=4)


def test_wrong_settings_are_named_before_anything_else(tiny_root):
    shutil.rmtree(tiny_root / "images")
    (tiny_root / "dataset.toml").write_text("chanels = 1")
    with pytest.raises(ValueError, match=r"dataset\.toml: expected keys out of .*, found chanels"):
        _build(tiny_root)


def test_masks_of_classes_are_found_before_training(tiny_root):
    path = tiny_root / "masks" / "polyp8.jpg"
    _convert(path, ".png", np.where(io.read_mask(path), 2, 0).astype(np.uint8))
    with pytest.raises(
        ValueError, match=r"polyp8\.png: expected a mask .* values up to 2, which would all be background"
    ):
        _build(tiny_root, "test")
    _build(tiny_root, has_labels=False)
