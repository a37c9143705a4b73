"""The folder of cache files: bounded, and nothing in it is removed but cache files."""

import errno
import os
import shutil
from collections import namedtuple

import pytest

from datasets.cache_folder import CACHE_SUFFIX, open_cache_file


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
    os.close(open_cache_file(folder, name, num_bytes, max_bytes))
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
