"""One at a time, whoever asks, and nothing is left of the lock."""

import errno
import fcntl
import os
import signal
import socket
import time

import pytest

from utils.locks import LOCK_NAME, is_orphaned, lock_folder, lock_output, shared_lock


def refused(place):
    return pytest.raises(
        ValueError,
        match=rf"{place}: expected to be alone, found run.py train at work \(process {os.getpid()} on "
        rf"{socket.gethostname()}\); let it end",
    )


@pytest.mark.parametrize("alone", [lock_folder, lock_output])
def test_a_place_is_for_one_at_a_time(tmp_path, alone):
    with alone(tmp_path / "new" / "a", "run.py train"):
        with refused("new/a"), alone(tmp_path / "new" / "a", "run.py evaluate"):
            pass
        with alone(tmp_path / "new" / "b", "run.py train"):
            pass
    with alone(tmp_path / "new" / "a", "run.py train"):
        pass
    assert not list(tmp_path.iterdir())


def test_through_a_link_it_is_the_same_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with lock_folder(tmp_path, "run.py train"), refused("link"), lock_folder(tmp_path / "link", "run.py train"):
        pass


@pytest.mark.parametrize("alone", [lock_folder, lock_output])
def test_it_goes_with_the_process_and_not_with_its_children(tmp_path, alone):
    """As loader processes, which outlive a killed parent for a while."""
    ready, told = os.pipe()
    parent = os.fork()
    if parent == 0:
        with alone(tmp_path / "a", "run.py train"):
            child = os.fork()
            if child == 0:
                time.sleep(60)
            os.write(told, str(child).encode())
            time.sleep(60)
        os._exit(0)
    child = int(os.read(ready, 20))
    with pytest.raises(ValueError, match=f"process {parent} on"), alone(tmp_path / "a", "run.py train"):
        pass
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    with alone(tmp_path / "a", "run.py train"):
        pass
    os.kill(child, signal.SIGKILL)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "what the kill left went with the next"


def test_without_locks_it_is_said_and_goes_on(tmp_path, monkeypatch, capsys):
    def without(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with lock_folder(tmp_path, "run.py train"):
        assert f"{tmp_path}: no locks there" in capsys.readouterr().err
        with shared_lock(tmp_path):
            assert not is_orphaned(tmp_path)


def test_a_file_in_the_place_of_a_folder_and_a_link_in_that_of_the_lock(tmp_path):
    (tmp_path / "out").write_text("kept")
    with pytest.raises(OSError, match="out: expected a folder, or nothing yet, found a file; choose another"):
        with lock_folder(tmp_path / "out", "run.py train"):
            pass
    (tmp_path / LOCK_NAME).symlink_to("out")
    with pytest.raises(OSError, match=str(tmp_path)), lock_folder(tmp_path, "run.py train"):
        pass
    assert (tmp_path / "out").read_text() == "kept"


def test_where_nothing_can_be_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="/proc/a.md"), lock_output("/proc/a.md", "run.py summarize"):
        pass


def test_what_a_process_uses_is_not_left_behind(tmp_path):
    for path in (tmp_path / "folder", tmp_path / "file"):
        path.mkdir() if path.name == "folder" else path.touch()
        with shared_lock(path):
            assert not is_orphaned(path)
        assert is_orphaned(path)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    assert not any(is_orphaned(tmp_path / name) for name in ("link", "absent"))
