"""The cache of records: what was written whole comes back, anything else is as good as absent."""

import errno
import gc
import multiprocessing
import os
import shutil
import warnings
from collections import namedtuple

import numpy as np
import pytest

from datasets.cache import CACHE_SUFFIX, File, open_cache_file, shared_storage
from datasets.sample_cache import HEADER, SampleCache, stride

KEY, OTHER_KEY = b"k" * 16, b"o" * 16
RECORD_BYTES = 100
LAYOUT = np.dtype([("data", np.uint8, (RECORD_BYTES,))])
DATA = np.arange(RECORD_BYTES, dtype=np.uint8)


@pytest.fixture(params=["memory", "disk"])
def cache(request, tmp_path):
    num_bytes = 3 * stride(LAYOUT)
    storage = shared_storage(num_bytes) if request.param == "memory" else _file(tmp_path, num_bytes)
    return _cache(storage, 3)


def _file(folder, num_bytes):
    descriptor = os.open(folder / "records", os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, num_bytes)
    return File(descriptor)


def _cache(storage, capacity=1, key=KEY):
    return SampleCache(storage, LAYOUT, [key] * capacity)


def _write(cache, index, data=DATA):
    cache.write(index, {"data": data})


def _read(cache, index):
    """The array of a record, or None."""
    found = cache.read(index)
    return None if found is None else found["data"].numpy()


def test_a_record_comes_back_and_its_neighbours_are_absent(cache):
    _write(cache, 1)
    np.testing.assert_array_equal(_read(cache, 1), DATA)
    assert _read(cache, 0) is None and _read(cache, 2) is None


def test_neighbours_do_not_overlap(cache):
    for index in range(3):
        _write(cache, index, DATA + index)
    assert [int(_read(cache, index)[0]) for index in range(3)] == [0, 1, 2]


def test_another_key_finds_nothing_and_may_take_the_place(cache):
    other = _cache(cache.storage, 3, OTHER_KEY)
    _write(cache, 0)
    assert _read(other, 0) is None
    _write(other, 0, DATA[::-1].copy())
    assert _read(cache, 0) is None
    np.testing.assert_array_equal(_read(other, 0), DATA[::-1])


def test_beyond_the_capacity_nothing_is_kept(cache):
    decoded = []
    for _ in range(2):
        cache.sample(3, decoded.append, None)
    assert decoded == [3, 3]


def test_records_are_aligned():
    assert [stride(np.dtype([("data", np.uint8, (size,))])) for size in (1, 32, 33)] == [64, 64, 128]


def test_processes_forked_from_here_share_it(cache):
    process = multiprocessing.get_context("fork").Process(target=_write, args=(cache, 1))
    process.start()
    process.join()
    np.testing.assert_array_equal(_read(cache, 1), DATA)


class TestFile:
    @pytest.mark.parametrize("byte", [0, 16, HEADER.size, HEADER.size + RECORD_BYTES - 1], ids=str)
    def test_a_changed_byte_voids_the_record(self, tmp_path, byte):
        cache = _cache(_file(tmp_path, stride(LAYOUT)))
        _write(cache, 0)
        assert _read(cache, 0) is not None
        content = bytearray((tmp_path / "records").read_bytes())
        content[byte] ^= 1
        (tmp_path / "records").write_bytes(content)
        assert _read(cache, 0) is None

    def test_a_record_whose_header_never_came_is_absent(self, tmp_path):
        storage = _file(tmp_path, stride(LAYOUT))
        storage.write(HEADER.size, DATA)
        assert _read(_cache(storage), 0) is None

    def test_parts_of_two_records_are_refused(self, tmp_path):
        storage = _file(tmp_path, 2 * stride(LAYOUT))
        cache = _cache(storage, 2)
        _write(cache, 0)
        storage.write(HEADER.size, DATA[::-1].copy())
        assert _read(cache, 0) is None
        _write(cache, 1)
        storage.write(stride(LAYOUT), OTHER_KEY)
        assert _read(_cache(storage, 2, OTHER_KEY), 1) is None

    def test_a_file_cut_short_by_another_run_gives_nothing(self, tmp_path):
        cache = _cache(_file(tmp_path, 2 * stride(LAYOUT)), 2)
        _write(cache, 1)
        os.truncate(tmp_path / "records", stride(LAYOUT) + 40)
        assert _read(cache, 1) is None

    def test_a_later_run_finds_it(self, tmp_path):
        _write(_cache(_file(tmp_path, stride(LAYOUT))), 0)
        later = _cache(_file(tmp_path, stride(LAYOUT)))
        np.testing.assert_array_equal(_read(later, 0), DATA)

    def test_a_spawned_process_shares_it_though_it_lost_its_name(self, tmp_path):
        cache = _cache(_file(tmp_path, stride(LAYOUT)))
        (tmp_path / "records").unlink()
        process = multiprocessing.get_context("spawn").Process(target=cache.write, args=(0, {"data": DATA}))
        process.start()
        process.join()
        np.testing.assert_array_equal(_read(cache, 0), DATA)

    @pytest.mark.parametrize("failure", ["error", "short"])
    def test_a_full_disk_is_one_warning_and_what_was_kept_stays(self, tmp_path, monkeypatch, failure):
        cache = _cache(_file(tmp_path, 3 * stride(LAYOUT)), 3)
        _write(cache, 0)

        def full(descriptor, data, offset):
            if failure == "short":
                return len(data) - 1
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.warns(RuntimeWarning, match="found No space left on device; samples not kept are decoded") as found:
            _write(cache, 1)
            _write(cache, 2)
        assert len(found) == 1
        assert _read(cache, 0) is not None and _read(cache, 1) is None

    def test_it_is_closed_with_its_object(self, tmp_path):
        descriptor = os.open(tmp_path / "records", os.O_RDWR | os.O_CREAT)
        storage = File(descriptor)
        del storage
        gc.collect()
        with pytest.raises(OSError):
            os.fstat(descriptor)


class TestSharedStorage:
    @pytest.mark.parametrize(
        ("available", "limit", "fits"),
        [(64, "max", True), (63, "max", False), (64, "65535", False), (64, "66000", False), (64, "67000", True)],
    )
    def test_no_more_memory_than_machine_and_container_have(self, tmp_path, monkeypatch, available, limit, fits):
        (tmp_path / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {available} kB\n")
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.stat").write_text("anon 1000\nfile 9999\nkernel 24\nkernel_stack 9\nshmem 100\n")
        monkeypatch.setattr("datasets.cache.MEMORY_FILE", tmp_path / "meminfo")
        monkeypatch.setattr("datasets.cache.CONTAINER", tmp_path)
        if fits:
            shared_storage(65536)
        else:
            with pytest.raises(OSError, match="Cannot allocate memory"):
                shared_storage(65536)

    def test_a_file_without_a_name_elsewhere(self, monkeypatch, tmp_path):
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        cache = _cache(shared_storage(stride(LAYOUT)))
        assert list(tmp_path.iterdir()) == []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _write(cache, 0)
        np.testing.assert_array_equal(_read(cache, 0), DATA)


# The folder of cache files: bounded, and nothing in it is removed but cache files.


@pytest.fixture
def make(tmp_path):
    """A function that makes an old file of a size and an age, in seconds."""

    def make(name, num_bytes, age):
        path = tmp_path / name
        path.write_bytes(bytes(num_bytes))
        os.utime(path, (10**9 - age, 10**9 - age))
        return path

    return make


def _open(folder, num_bytes, max_bytes, name="own"):
    open_cache_file(folder, name, num_bytes, max_bytes)
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_made_in_a_folder_that_was_absent(tmp_path):
    folder = tmp_path / "data" / ".cache"
    assert _open(folder, 100, 100) == [f"own{CACHE_SUFFIX}"]
    assert (folder / f"own{CACHE_SUFFIX}").stat().st_size == 100


def test_the_least_recently_used_files_go_first(tmp_path, make):
    make(f"oldest{CACHE_SUFFIX}", 50, age=3)
    make(f"middle{CACHE_SUFFIX}", 50, age=2)
    make(f"newest{CACHE_SUFFIX}", 50, age=1)
    assert _open(tmp_path, 100, 200) == [f"middle{CACHE_SUFFIX}", f"newest{CACHE_SUFFIX}", f"own{CACHE_SUFFIX}"]
    assert _open(tmp_path, 100, 199) == [f"newest{CACHE_SUFFIX}", f"own{CACHE_SUFFIX}"]


def test_opening_counts_as_use(tmp_path, make):
    make(f"own{CACHE_SUFFIX}", 50, age=9)
    make(f"other{CACHE_SUFFIX}", 50, age=1)
    _open(tmp_path, 50, 100)
    assert _open(tmp_path, 50, 100, name="third") == [f"own{CACHE_SUFFIX}", f"third{CACHE_SUFFIX}"]


def test_files_of_others_stay(tmp_path, make):
    make("notes.txt", 500, age=9)
    target = make("target", 500, age=9)
    (tmp_path / f"link{CACHE_SUFFIX}").symlink_to(target)
    (tmp_path / f"folder{CACHE_SUFFIX}").mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    assert set(_open(tmp_path, 100, 100)) == before | {f"own{CACHE_SUFFIX}"}


def test_the_content_of_the_own_file_stays_up_to_its_new_size(tmp_path):
    path = tmp_path / f"own{CACHE_SUFFIX}"
    path.write_bytes(b"abcdef")
    _open(tmp_path, 8, 8)
    assert path.read_bytes() == b"abcdef\0\0"
    _open(tmp_path, 3, 8)
    assert path.read_bytes() == b"abc"


def test_a_disk_without_that_room_is_an_error_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: namedtuple("Usage", "free")(99))
    with pytest.raises(OSError) as caught:
        open_cache_file(tmp_path, "own", 100, 100)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
