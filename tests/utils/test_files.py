"""Files that are either whole or not there."""

import json
import os
import stat
from pathlib import Path

import pytest

from utils.files import remove_temporary, replacing, write_json, write_text


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_replaces_an_older_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "neu: ä")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "neu: ä"
    assert _names(tmp_path) == ["a.txt"]


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_midway_keeps_the_older_file_and_leaves_no_temporary(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of the ne")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_failing_rename_leaves_no_temporary(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(tmp_path / "a.txt", "x")
    assert _names(tmp_path) == []


def test_nothing_shows_under_the_final_name_before_the_end(tmp_path):
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
        assert not (tmp_path / "a.txt").exists()
        assert temporary.parent == tmp_path and temporary.suffix == ".txt"
    assert (tmp_path / "a.txt").read_text() == "x"


def test_files_are_shared_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_a_folder_that_takes_no_file_names_the_file_that_was_asked_for(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise OSError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OSError) as error:
        write_text(tmp_path / "a.txt", "x")
    assert error.value.filename == str(tmp_path / "a.txt")


def test_the_umask_is_left_alone_for_the_sake_of_other_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("umask changed"))
    write_text(tmp_path / "a.txt", "x")


def test_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "folder").write_text("I am a file")
    with pytest.raises(OSError, match="folder"):
        write_text(tmp_path / "folder" / "a.txt", "x")
    assert (tmp_path / "folder").read_text() == "I am a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(tmp_path):
    (tmp_path / "folder").mkdir(mode=0o555)
    with pytest.raises(PermissionError, match="folder"):
        write_text(tmp_path / "folder" / "a.txt", "x")


def test_json_comes_back_with_null_for_numbers_that_are_not_finite(tmp_path):
    write_json(tmp_path / "a.json", {"dice": float("inf"), "list": (1, [float("nan"), "x"]), "none": None})
    text = (tmp_path / "a.json").read_text()
    assert "NaN" not in text and text.endswith("}\n")
    assert json.loads(text) == {"dice": None, "list": [1, [None, "x"]], "none": None}


def test_json_of_something_else_leaves_the_older_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert _names(tmp_path) == ["a.json"]


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path):
    kept = [".tmp-0123456789abcdefg", ".tmp-mine", ".tmp-mine.png", "whole.png"]
    for name in (".tmp-0123456789abcdef.png", *kept):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".tmp-00000000000000aa").mkdir()
    (tmp_path / ".tmp-00000000000000aa" / "half").write_bytes(b"x")
    with replacing(tmp_path / "b.png") as living:
        remove_temporary(tmp_path)
        assert _names(tmp_path) == sorted([*kept, living.name])
    remove_temporary(tmp_path / "absent")
