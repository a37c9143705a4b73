"""Files that belong together: all in their place, or none."""

from pathlib import Path

import pytest

from utils.staging import staging


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_all_files_take_their_place_at_the_end(tmp_path):
    with staging(tmp_path / "new" / "model.bin") as staged:
        staged.write_text("model")
        Path(f"{staged}.md").write_text("card")
        assert not (tmp_path / "new" / "model.bin").exists()
    assert names(tmp_path) == ["new", "new/model.bin", "new/model.bin.md"]
    assert (tmp_path / "new" / "model.bin.md").read_text() == "card"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_neither_files_nor_new_folders_are_left(tmp_path, error):
    with pytest.raises(error), staging(tmp_path / "a" / "b" / "model.bin") as staged:
        staged.write_text("half")
        raise error
    assert names(tmp_path) == []


def test_after_an_error_the_older_files_are_as_they_were(tmp_path):
    (tmp_path / "model.bin").write_text("old")
    with pytest.raises(RuntimeError), staging(tmp_path / "model.bin") as staged:
        staged.write_text("new")
        raise RuntimeError
    assert names(tmp_path) == ["model.bin"] and (tmp_path / "model.bin").read_text() == "old"


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "folder").write_text("I am a file")
    with pytest.raises(OSError, match="folder"), staging(tmp_path / "folder" / "model.bin"):
        pass
    assert names(tmp_path) == ["folder"]
