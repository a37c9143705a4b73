"""What happens before a command is known or loaded."""

import importlib
import subprocess
import sys
from pathlib import Path

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


def test_help_that_nobody_reads_ends_quietly():
    command = f"{sys.executable} run.py train --help | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.splitlines()[-1] in ("0", "141")
