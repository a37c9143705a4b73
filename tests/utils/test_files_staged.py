"""Files that belong together: all in their place, or none."""

import os
from pathlib import Path

import pytest

from utils.files import staged_folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_all_files_take_their_place_at_the_end(tmp_path):
    with staged_folder(tmp_path / "new", last="model.bin") as hidden:
        (hidden / "model.bin").write_text("model")
        (hidden / "model.bin.md").write_text("card")
        assert not (tmp_path / "new" / "model.bin").exists()
    assert names(tmp_path) == ["new", "new/model.bin", "new/model.bin.md"]
    assert (tmp_path / "new" / "model.bin.md").read_text() == "card"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_neither_files_nor_new_folders_are_left(tmp_path, error):
    with pytest.raises(error), staged_folder(tmp_path / "a" / "b", last="model.bin") as hidden:
        (hidden / "model.bin").write_text("half")
        raise error
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "folder").write_text("I am a file")
    with pytest.raises(OSError, match="folder"), staged_folder(tmp_path / "folder", last="model.bin"):
        pass
    assert names(tmp_path) == ["folder"]


def test_a_folder_takes_the_files_once_all_are_whole_and_the_named_one_last(tmp_path, monkeypatch):
    (tmp_path / "kept").write_text("mine")
    replace, moved, seen = os.replace, [], []
    monkeypatch.setattr(os, "replace", lambda source, place: (moved.append(place.name), replace(source, place)))
    with staged_folder(tmp_path, before_moving=lambda: seen.extend(moved), last="a") as staged:
        for name in ("a", "b", "sub/c"):
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text("new")
        assert not (tmp_path / "a").exists()
    assert names(tmp_path) == ["a", "b", "kept", "sub", "sub/c"]
    assert moved == ["b", "c", "a"] and seen == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_is_as_it_was_after_an_error(tmp_path, error):
    (tmp_path / "a").write_text("old")
    with pytest.raises(error), staged_folder(tmp_path, before_moving=(tmp_path / "a").unlink, last="a") as staged:
        (staged / "a").write_text("new")
        raise error
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"
