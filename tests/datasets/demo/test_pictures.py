"""The made data set: whole, reproducible, in the folder format, and neither trivial nor hopeless."""

from __future__ import annotations

import errno
import filecmp
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from datasets.demo import pictures as synthetic
from datasets.demo.pictures import make_demo_dataset, make_demo_image

COLUMNS = [
    "IMAGE",
    "CURRENT_FIX_INDEX",
    "CURRENT_FIX_X",
    "CURRENT_FIX_Y",
    "CURRENT_FIX_DURATION",
    "CURRENT_FIX_PUPIL",
    "CURRENT_FIX_START",
    "IMAGE_HEIGHT",
    "IMAGE_WIDTH",
]
SMALL = {"num_train": 5, "num_test": 3, "image_size": (48, 64)}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_demo_dataset(tmp_path_factory.mktemp("made") / "demo", **SMALL)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def ids(root: Path, split: str) -> list[str]:
    return (root / f"{split}.txt").read_text().split()


# ---- the folder ---------------------------------------------------------------------------------------------


def test_layout_is_complete_and_holds_nothing_else(root: Path):
    names = ids(root, "train") + ids(root, "test")
    expected = [f"{folder}/{name}.jpg" for folder in ("images", "masks") for name in names]
    assert files(root) == sorted([*expected, "train.txt", "test.txt", "fixations.csv", "demo.json"])
    assert [path.name for path in root.parent.iterdir()] == ["demo"]


def test_splits_have_the_sizes_asked_for_and_share_no_id(root: Path):
    train, test = ids(root, "train"), ids(root, "test")
    assert (len(set(train)), len(set(test))) == (5, 3)
    assert not set(train) & set(test)


def test_masks_are_black_and_white_of_the_images_sizes(root: Path):
    sizes = set()
    for path in sorted((root / "images").iterdir()):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        mask = cv2.imread(str(root / "masks" / path.name), cv2.IMREAD_UNCHANGED)
        assert image.ndim == 3 and mask.ndim == 2
        assert image.shape[:2] == mask.shape
        # JPEG leaves a few grey pixels around the outline only.
        assert ((mask < 64) | (mask > 191)).mean() > 0.97
        sizes.add(mask.shape)
        assert 42 <= mask.shape[0] <= 54 and 56 <= mask.shape[1] <= 72
    assert len(sizes) > 1


def test_images_are_stored_as_rgb(root: Path):
    for path in (root / "images").iterdir():
        blue, _, red = cv2.imread(str(path)).reshape(-1, 3).mean(axis=0)
        assert red > blue + 20


def test_fixation_table_has_the_columns_and_forms_of_the_real_one(root: Path):
    table = pd.read_csv(root / "fixations.csv")
    assert list(table.columns) == COLUMNS
    assert not table.isna().any().any()
    assert list(dict.fromkeys(table["IMAGE"])) == [f"{n}.jpg" for n in ids(root, "train") + ids(root, "test")]
    assert table["CURRENT_FIX_X"].between(0, 1, inclusive="neither").all()
    assert table["CURRENT_FIX_Y"].between(0, 1, inclusive="neither").all()
    for column in ("CURRENT_FIX_INDEX", "CURRENT_FIX_DURATION", "CURRENT_FIX_PUPIL", "CURRENT_FIX_START"):
        assert table[column].dtype == np.int64
    assert table["CURRENT_FIX_DURATION"].min() >= 50
    first_row = (root / "fixations.csv").read_text().splitlines()[1]
    height, width = cv2.imread(str(root / "images" / table["IMAGE"][0])).shape[:2]
    assert first_row.endswith(f",{height}.0,{width}.0")


def test_fixations_are_numbered_from_one_in_time(root: Path):
    for _, rows in pd.read_csv(root / "fixations.csv").groupby("IMAGE"):
        assert rows["CURRENT_FIX_INDEX"].tolist() == list(range(1, len(rows) + 1))
        assert rows["CURRENT_FIX_START"].is_monotonic_increasing


def test_gaze_belongs_to_its_own_mask(root: Path):
    shares = []
    for name, rows in pd.read_csv(root / "fixations.csv").groupby("IMAGE"):
        mask = cv2.imread(str(root / "masks" / name), cv2.IMREAD_GRAYSCALE) > 127
        height, width = rows["IMAGE_HEIGHT"].iloc[0], rows["IMAGE_WIDTH"].iloc[0]
        assert mask.shape == (height, width)
        y, x = (rows["CURRENT_FIX_Y"] * height).astype(int), (rows["CURRENT_FIX_X"] * width).astype(int)
        shares.append(mask[y, x].mean())
    assert np.mean(shares) > 0.65


# ---- made again ---------------------------------------------------------------------------------------------


def test_same_seed_same_files_other_seed_others(root: Path, tmp_path: Path):
    again = make_demo_dataset(tmp_path / "again", **SMALL)
    assert filecmp.cmpfiles(root, again, files(root), shallow=False) == (files(root), [], [])
    other = make_demo_dataset(tmp_path / "other", **SMALL, seed=1)
    image = f"images/{ids(root, 'train')[0]}.jpg"
    assert not filecmp.cmp(root / image, other / image, shallow=False)


def test_a_picture_does_not_depend_on_how_many_are_made(root: Path, tmp_path: Path):
    more = make_demo_dataset(tmp_path / "more", **SMALL | {"num_train": 6})
    image = f"images/{ids(root, 'train')[4]}.jpg"
    assert filecmp.cmp(root / image, more / image, shallow=False)


def test_second_call_does_nothing(root: Path, monkeypatch):
    def fail(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(synthetic, "make_demo_image", fail)
    before = {path: (root / path).stat().st_mtime_ns for path in files(root)}
    assert make_demo_dataset(root, **SMALL) == root
    assert {path: (root / path).stat().st_mtime_ns for path in files(root)} == before


def test_empty_folder_and_missing_parents_are_fine(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    tiny = {"num_train": 1, "num_test": 1, "image_size": (32, 32)}
    assert len(files(make_demo_dataset(tmp_path / "empty", **tiny))) == 8
    assert len(files(make_demo_dataset(str(tmp_path / "a" / "b"), **tiny))) == 8


def test_an_empty_folder_may_be_a_mount(tmp_path: Path, monkeypatch):
    def across(source, place):
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))

    monkeypatch.setattr(os, "rename", across)
    (tmp_path / "demo").mkdir()
    make_demo_dataset(tmp_path / "demo", **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert (tmp_path / "demo" / "demo.json").is_file() and len(list((tmp_path / "demo" / "images").iterdir())) == 8


def test_name_relative_to_the_working_folder(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_demo_dataset("demo", num_train=1, num_test=1, image_size=(32, 32))
    assert (tmp_path / "demo" / "demo.json").is_file()


# ---- refusals and failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("failing_image", [1, 6])
def test_failure_midway_leaves_nothing(failing_image: int, tmp_path: Path, monkeypatch):
    calls = []

    def fail_late(size, rng):
        calls.append(size)
        if len(calls) == failing_image:
            raise OSError("disk full")
        return make_demo_image(size, rng)

    monkeypatch.setattr(synthetic, "make_demo_image", fail_late)
    with pytest.raises(OSError, match="disk full"):
        make_demo_dataset(tmp_path / "demo", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_interruption_midway_leaves_nothing(tmp_path: Path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "simulate_fixations", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_demo_dataset(tmp_path / "demo", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_image_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch):
    def full(path, _):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device.*demo0000\.jpg"):
        make_demo_dataset(tmp_path / "demo", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_folder_with_other_content_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="other content; choose another folder"):
        make_demo_dataset(tmp_path, **SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_file_in_place_of_the_folder_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "demo").write_text("a file")
    with pytest.raises(ValueError, match="other content"):
        make_demo_dataset(tmp_path / "demo", **SMALL)
    assert (tmp_path / "demo").read_text() == "a file"


@pytest.mark.parametrize("content", ["[1, 2]", "{}", "no json", '{"seed": 0}'])
def test_folder_with_a_strange_settings_file_is_refused(content: str, tmp_path: Path):
    (tmp_path / "demo.json").write_text(content)
    with pytest.raises(ValueError, match="choose another folder"):
        make_demo_dataset(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_demo_of_other_settings_is_refused_and_kept(root: Path):
    before = files(root)
    with pytest.raises(ValueError, match="'seed': 7.*found one of.*'seed': 0"):
        make_demo_dataset(root, **SMALL, seed=7)
    assert files(root) == before
    assert json.loads((root / "demo.json").read_text())["seed"] == 0


# ---- the pictures -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> list[tuple[np.ndarray, np.ndarray]]:
    return [make_demo_image((72, 88), np.random.default_rng(seed)) for seed in range(60)]


def test_picture_form(pictures):
    for image, mask in pictures:
        assert image.shape == (72, 88, 3) and image.dtype == np.uint8
        assert mask.shape == (72, 88) and mask.dtype == bool
        assert image.std() > 5


def test_targets_have_polyp_like_sizes_and_varied_places(pictures):
    areas = np.array([mask.mean() for _, mask in pictures])
    assert (areas > 0.025).all() and (areas < 0.46).all()
    assert 0.08 < np.median(areas) < 0.17
    assert areas.max() > 3 * areas.min()
    centres = np.array([np.argwhere(mask).mean(axis=0) / mask.shape for _, mask in pictures])
    assert (centres.std(axis=0) > 0.08).all()


def test_a_few_targets_have_two_parts_and_none_is_torn(pictures):
    parts = [cv2.connectedComponents(mask.astype(np.uint8))[0] - 1 for _, mask in pictures]
    assert set(parts) <= {1, 2, 3}
    assert 0.75 < np.mean(np.array(parts) == 1) < 1


def test_the_target_differs_from_its_surroundings_but_one_threshold_does_not_find_it(pictures):
    shifts, best = [], []
    for image, mask in pictures:
        for channel in image.transpose(2, 0, 1).astype(float):
            shifts.append((channel[mask].mean() - channel[~mask].mean()) / channel.std())
    for quantile in np.linspace(0.02, 0.98, 25):
        dices = []
        for image, mask in pictures:
            for channel in image.transpose(2, 0, 1):
                guess = channel > np.quantile(channel, quantile)
                dices.append([2 * (g & mask).sum() / (g.sum() + mask.sum()) for g in (guess, ~guess)])
        best.append(np.mean(dices, axis=0).max())
    assert np.mean(np.abs(shifts)) > 0.3
    assert max(best) < 0.5
