"""Only regular files are opened, and nothing that may never end is read."""

import os
import socket
from pathlib import Path

import pytest

from utils.inputs import open_input, printable, read_input


def test_a_regular_file_is_read_and_a_link_to_it(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    assert read_input(tmp_path / "b") == b"abc"
    assert read_input(tmp_path / "b", max_bytes=3) == b"abc"
    with pytest.raises(ValueError, match="b: expected a file of up to 2 bytes, found a larger one"):
        read_input(tmp_path / "b", max_bytes=2)


def test_what_is_no_regular_file_is_said_and_not_opened(tmp_path, monkeypatch):
    # The name of a socket is short.
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkdir("folder")
    Path("device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("pipe", "folder", "device", "socket"):
            with pytest.raises(OSError, match=f"{name}: expected a regular file, found a {name}"):
                open_input(name)
    Path("loop").symlink_to("loop")
    for name in ("loop", "none"):
        with pytest.raises(OSError, match=name):
            open_input(name)


@pytest.mark.skipif(not os.path.exists("/proc/self/mounts"), reason="needs /proc")
def test_what_says_it_is_empty_is_not_read():
    assert read_input("/proc/self/mounts") == b""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("polyp_1.jpg", "polyp_1.jpg"),
        ("Größe 日本 😀", "Größe 日本 😀"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("cju\u202egpj.exe", "cju\\u202egpj.exe"),
        ("\u200b\x00\u2028", "\\u200b\\x00\\u2028"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("at 3.14\u202fPM\u3000\u00a0", "at 3.14\u202fPM\u3000\u00a0"),
        (7, "7"),
    ],
)
def test_what_would_not_be_seen_is_written_out(text, shown):
    assert printable(text) == shown
