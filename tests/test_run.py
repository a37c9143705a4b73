"""What happens before a command is known or loaded."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import run

REPOSITORY = Path(__file__).resolve().parents[1]
STOPPED_WHILE_IMPORTING = """
import runpy, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "parse_args":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
runpy.run_path("run.py", run_name="__main__")
"""


def test_ctrl_c_while_the_command_line_is_loaded():
    command = [sys.executable, "-c", STOPPED_WHILE_IMPORTING]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "run.py: stopped\n")


def test_ctrl_c_while_a_command_is_loaded(monkeypatch, capsys):
    def stop(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", stop)
    assert run.main(["summarize", "exp"]) == 130
    assert capsys.readouterr().err == "run.py: stopped\n"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("unable to write to file </torch_1_2>: No space left on device (28)", "memory for loader processes"),
        ("unable to allocate shared memory(shm) for file </torch_1>", "memory for loader processes"),
        ("DataLoader worker (pid 7) exited unexpectedly", "memory for loader processes"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "memory"),
        ("CUDA out of memory. Tried to allocate 2 GiB", "memory"),
    ],
)
def test_too_little_of_the_machine_is_no_defect_of_ours(said, what):
    assert run.expected_error(RuntimeError(said)).startswith(f"expected more {what}, found too little ({said[:40]}")


def test_what_the_terminal_cannot_show_ends_no_command(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    script = "import run, sys; run._open_standard_streams(); print('3 \u2013 4'); sys.exit(0)"
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=REPOSITORY, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"3 \\u2013 4\n"), done.stderr


def test_help_that_nobody_reads_ends_quietly():
    command = f"{sys.executable} run.py train --help | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.splitlines()[-1] in ("0", "141")
