"""The benchmarks run, and what they hold against each other is equal; times are not tested."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("what", ["heatmap", "crf", "shortcut", "prepare"])
def test_gaze(tiny_root, tmp_path, what):
    command = [
        sys.executable,
        "benchmarks/gaze.py",
        what,
        "--data",
        "kvasir",
        "--root",
        str(tiny_root),
        "--images",
        "3",
    ]
    command += ["--fixations", str(tiny_root / "fixations.csv"), "--workers", "1", "--to", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert f"python benchmarks/gaze.py {what}" in table
    assert ("| 5 | 3 |" if what == "shortcut" else "| ours | 3 |") in table
    if what == "heatmap":
        assert "0 in 0 maps differ" in table or "by at most 1/255" in table
    if what == "crf":
        assert ", 0 differ in any bit" in table
    assert not (tiny_root / "gaze" / "heatmap").exists()


def test_loader(tiny_root, tmp_path):
    before = sorted(tiny_root.rglob("*"))
    command = [sys.executable, "benchmarks/loader.py", "--data", "kvasir", "--root", str(tiny_root), "--epochs", "1"]
    command += ["--spatial_size", "32", "--batch_size", "4", "--num_worker", "0,1", "--to", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table.count("| memory, later epochs |") == 2 and "bit-equal" in table
    assert sorted(tiny_root.rglob("*")) == before
