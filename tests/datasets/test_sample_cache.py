"""Cached samples: the same as decoded ones, whatever the cache, and never those of other files or settings."""

import gc
import math
import os
import pickle
import stat
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from datasets import build_dataset, io
from datasets.cache import CACHE_SUFFIX

SIZE = 32
# Of a sample of 3 x 32 x 32 floats, one label and two pseudo-masks, with its header.
STRIDE = 3 * SIZE * SIZE * 4 + 3 * SIZE * SIZE + 64


def _train(root, data="kvasir", **options):
    return build_dataset(data, **{"root": root, "split": "train", "spatial_size": SIZE, "num_levels": 2, **options})


def _cached(root, kind="disk", *, max_gb=1.0, folder=None, **options):
    dataset = _train(root, **options)
    dataset.use_cache(kind, max_gb=max_gb, folder=folder)
    return dataset


def _all(dataset, epochs=2):
    return [dataset[index, epoch] for epoch in range(epochs) for index in range(len(dataset))]


def assert_same(ours, expected):
    assert len(ours) == len(expected)
    for one, other in zip(ours, expected, strict=True):
        assert list(one) == list(other) and one["name"] == other["name"]
        for key in set(one) - {"name"}:
            assert one[key].dtype == other[key].dtype == torch.float32
            assert one[key].stride() == other[key].stride()
            assert torch.equal(one[key], other[key])


@pytest.fixture
def reads(monkeypatch):
    """The names of the images that are decoded from here on."""
    names, read = [], io.read_image

    def counted(path, *args, **kwargs):
        names.append(path.stem)
        return read(path, *args, **kwargs)

    monkeypatch.setattr(io, "read_image", counted)
    return names


@pytest.mark.parametrize("kind", ["memory", "disk", "off"])
@pytest.mark.parametrize("options", [{}, {"has_labels": False}, {"num_levels": None}, {"num_levels": 3}], ids=str)
def test_samples_are_bit_equal(tiny_root, kind, options):
    assert_same(_all(_cached(tiny_root, kind, **options)), _all(_train(tiny_root, **options)))


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_prostate_samples_are_bit_equal(tiny_prostate_root, kind):
    options = {"data": "prostate", "spatial_size": 36}
    assert_same(_all(_cached(tiny_prostate_root, kind, **options)), _all(_train(tiny_prostate_root, **options)))


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_every_file_is_decoded_once(tiny_root, reads, kind):
    dataset = _cached(tiny_root, kind)
    _all(dataset, epochs=3)
    assert sorted(reads) == sorted(dataset.names)


def test_later_runs_find_what_is_on_disk(tiny_root, reads):
    expected = _all(_cached(tiny_root))
    reads.clear()
    assert_same(_all(_cached(tiny_root)), expected)
    assert reads == []


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_writing_to_a_sample_leaves_the_cache_alone(tiny_root, kind):
    dataset, expected = _cached(tiny_root, kind, augment=False), _all(_train(tiny_root, augment=False))
    for sample in _all(dataset):
        for key in ("image", "label", "pseudo"):
            sample[key].fill_(7)
    assert_same(_all(dataset), expected)


@pytest.mark.parametrize("folder", [None, ""])
def test_the_folder_is_the_data_sets_own_unless_there_is_another(tiny_root, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    assert _cached(tiny_root, folder=folder).cache_note.startswith(f"cache: 6 of 6 samples in {tiny_root / '.cache'}")


def test_off_makes_no_file_and_says_so(tiny_root):
    before = sorted(tiny_root.rglob("*"))
    for dataset in (_cached(tiny_root, "off"), _cached(tiny_root, "disk", max_gb=0), _cached(tiny_root, "memory")):
        _all(dataset)
    assert sorted(tiny_root.rglob("*")) == before
    assert _cached(tiny_root, "off").cache_note == "cache: off; samples are decoded each time"


class TestBound:
    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_the_first_samples_are_kept_as_far_as_it_goes(self, tiny_root, reads, kind):
        expected = _all(_train(tiny_root))
        dataset = _cached(tiny_root, kind, max_gb=(4.9 * STRIDE) / 1e9)
        reads.clear()
        assert_same(_all(dataset), expected)
        assert reads == [*dataset.names, "polyp5", "polyp6"]
        assert dataset.cache_note.startswith("cache: 4 of 6 samples in ")
        if kind == "disk":
            assert sum(path.stat().st_size for path in (tiny_root / ".cache").iterdir()) == 4 * STRIDE

    def test_what_it_says(self, tiny_root):
        dataset = _cached(tiny_root, "memory", spatial_size=448)
        assert dataset.cache_note == "cache: 6 of 6 samples in memory, 0.02 GB"

    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_no_bound_keeps_all(self, tiny_root, kind):
        assert _cached(tiny_root, kind, max_gb=math.inf).cache_note.startswith("cache: 6 of 6 samples in ")

    def test_files_of_other_settings_count(self, tiny_root):
        for size in (16, 24, SIZE):
            _all(_cached(tiny_root, spatial_size=size, max_gb=6 * STRIDE / 1e9))
        (left,) = (tiny_root / ".cache").iterdir()
        assert left.suffix == CACHE_SUFFIX and left.stat().st_size == 6 * STRIDE


class TestChanges:
    @pytest.mark.parametrize("folder", ["images", "masks", "gaze/crf_compat1"])
    def test_a_changed_file_gives_a_new_sample(self, tiny_root, reads, folder):
        _all(_cached(tiny_root))
        path = tiny_root / folder / "polyp2.jpg"
        Image.fromarray(255 - np.array(Image.open(path))).save(path)
        reads.clear()
        assert_same(_all(_cached(tiny_root)), _all(_train(tiny_root)))
        # Once for the cache, and twice by the data set without one.
        assert reads.count("polyp2") == 1 + 2 and reads.count("polyp1") == 2

    def test_other_pixels_of_the_same_size_and_time(self, tiny_prostate_root, reads):
        options = {"data": "prostate", "augment": False}
        _all(_cached(tiny_prostate_root, **options))
        path = tiny_prostate_root / "images" / "caseA_5.dcm"
        before = path.stat()
        content = bytearray(path.read_bytes())
        content[-100:] = bytes(100)
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        reads.clear()
        assert_same(_all(_cached(tiny_prostate_root, **options)), _all(_train(tiny_prostate_root, **options)))
        assert reads.count("caseA_5") == 1 + 2 and reads.count("caseA_15") == 2

    def test_a_file_that_changes_while_it_is_read_is_not_kept(self, tiny_root, monkeypatch, reads):
        dataset, path = _cached(tiny_root, augment=False), tiny_root / "images" / "polyp1.jpg"
        read = io.read_image

        def read_and_touch(*args, **kwargs):
            image = read(*args, **kwargs)
            os.utime(path, ns=(1, len(reads)))
            return image

        monkeypatch.setattr(io, "read_image", read_and_touch)
        dataset[0], dataset[0]
        assert reads == ["polyp1", "polyp1"]

    def test_a_corrupt_record_is_decoded_again(self, tiny_root, reads):
        expected = _all(_cached(tiny_root))
        (file,) = (tiny_root / ".cache").iterdir()
        content = bytearray(file.read_bytes())
        content[2 * STRIDE + 5000] ^= 255
        file.write_bytes(content)
        reads.clear()
        assert_same(_all(_cached(tiny_root)), expected)
        assert reads == ["polyp3"]

    @pytest.mark.parametrize(
        "options",
        [
            {"spatial_size": 16},
            {"level_thresholds": (0.6, 0.2)},
            {"num_levels": 3},
            {"has_labels": False},
            {"val_fraction": 0.34},
        ],
        ids=str,
    )
    def test_other_settings_have_another_file(self, tiny_root, options):
        first = _cached(tiny_root)
        other = _cached(tiny_root, **options)
        assert len(list((tiny_root / ".cache").iterdir())) == 2
        for _ in range(2):
            assert_same(_all(other), _all(_train(tiny_root, **options)))
            assert_same(_all(first), _all(_train(tiny_root)))

    def test_two_data_sets_may_share_a_folder(self, tiny_root, tiny_prostate_root, tmp_path):
        for _ in range(2):
            for root, data in ((tiny_root, "kvasir"), (tiny_prostate_root, "prostate")):
                ours = _all(_cached(root, folder=tmp_path / "cache", data=data))
                assert_same(ours, _all(_train(root, data)))
        assert len(list((tmp_path / "cache").iterdir())) == 2


class TestNoCache:
    def test_more_than_the_memory_that_is_left(self, tiny_root, tmp_path, monkeypatch):
        (tmp_path / "meminfo").write_text("MemTotal:       99 kB\nMemAvailable:   12 kB\n")
        monkeypatch.setattr("datasets.cache.MEMORY_FILE", tmp_path / "meminfo")
        dataset = _cached(tiny_root, "memory")
        assert dataset.cache is None
        assert "expected room for 0.00 GB in memory, found Cannot allocate memory" in dataset.cache_note

    def test_a_folder_that_cannot_be_written_to(self, tiny_root, monkeypatch):
        folder = tiny_root / ".cache"
        folder.mkdir()
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        real = os.open

        # Permissions do not stop root.
        def refused(path, *args, **kwargs):
            if str(path).startswith(str(folder)):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, "open", refused)
        dataset = _cached(tiny_root)
        assert dataset.cache is None
        assert dataset.cache_note == (
            f"cache: expected room for 0.00 GB in {folder}, found Permission denied; samples are decoded each time: "
            "choose another --cache_dir, --cache, or less --cache_gb"
        )
        assert_same(_all(dataset), _all(_train(tiny_root)))

    def test_a_file_in_place_of_the_folder(self, tiny_root):
        (tiny_root / ".cache").write_text("")
        assert "found File exists" in _cached(tiny_root).cache_note


class TestOtherObjects:
    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_the_cache_ends_with_its_data_set(self, tiny_root, kind):
        gc.disable()
        try:
            dataset = _cached(tiny_root, kind)
            _all(dataset)
            storage = weakref.ref(dataset.cache.storage)
            del dataset
            assert storage() is None
        finally:
            gc.enable()

    def test_a_showcase_with_labels_of_a_cache_without(self, tiny_root):
        dataset = _cached(tiny_root, "memory", has_labels=False)
        _all(dataset)
        assert set(dataset.first_samples(2)[0]) == {"image", "label", "pseudo", "name"}

    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_pickled(self, tiny_root, kind):
        dataset = _cached(tiny_root, kind)
        expected = _all(dataset)
        assert_same(_all(pickle.loads(pickle.dumps(dataset))), expected)
