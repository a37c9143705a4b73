"""``scripts/setup.sh`` on made environments; nothing is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# Stands for an interpreter that passes all looks at it, and cannot make environments.
PYTHON = """#!/bin/sh
case "$*" in
*_base_executable*) echo "$0" ;;
*"-m venv"*) exit 1 ;;
*fcntl*) ;;
*version_info*) echo 3.12 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the script reads, and an environment elsewhere with a package in it."""
    root = tmp_path / "checkout"
    shutil.copytree(REPOSITORY / "scripts", root / "scripts")
    for path in REPOSITORY.glob("requirements*.txt"):
        shutil.copy(path, root)
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "env" / "package.py").write_text("kept")
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return root


def set_up(checkout, **changes):
    given = {"PATH": "/usr/bin:/bin", "PYTHON": str(checkout.parent / "python"), "CXX": "true"} | changes
    command = ["bash", checkout / "scripts" / "setup.sh"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def stamp(checkout, version=f"{sys.version_info[0]}.{sys.version_info[1]}"):
    listed = [
        line.partition(" #")[0].rstrip()
        for line in (checkout / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return "\n".join([f"{version} /elsewhere/.venv", *listed, "-- end of requirements.txt"]) + "\n"


def test_a_link_to_an_environment_that_lacks_something(checkout):
    environment = checkout.parent / "env"
    (checkout / ".venv").symlink_to(environment)
    for content in (None, "3.1 /old\nnumpy\n", stamp(checkout, "3.1")):
        if content:
            (environment / ".setup-stamp").write_text(content)
        before = sorted(environment.rglob("*"))
        code, said = set_up(checkout)
        assert code == 1 and f".venv is a link to {environment}, which lacks what is needed" in said
        assert sorted(environment.rglob("*")) == before and (checkout / ".venv").is_symlink()


def test_a_link_to_an_environment_that_has_all(checkout):
    (checkout / ".venv").symlink_to(checkout.parent / "env")
    (checkout.parent / "env" / ".setup-stamp").write_text(stamp(checkout))
    code, said = set_up(checkout)
    assert code == 0 and "which has what is needed; used as it is" in said
    assert (checkout.parent / "env" / ".setup-stamp").is_file()


def test_without_a_compiler_all_but_one_package_is_set_up(checkout):
    tools = checkout.parent / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "find", "head", "mkdir", "readlink", "rm", "sed", "touch"):
        (tools / name).symlink_to(shutil.which(name))
    code, said = set_up(checkout, PATH=str(tools), CXX="")
    assert "no C++ compiler (c++, g++, clang++) that runs, or no headers of Python" in said
    assert code == 1 and "could not make a virtual environment" in said, "it went on"
    # An environment made so is whole here, and is not where there is a compiler.
    (checkout / ".venv" / ".setup-ours").unlink()
    (checkout / ".venv").rmdir()
    (checkout / ".venv").symlink_to(checkout.parent / "env")
    lines = stamp(checkout).splitlines(keepends=True)
    (checkout.parent / "env" / ".setup-stamp").write_text("".join(x for x in lines if not x.startswith("pydensecrf2")))
    code, said = set_up(checkout, PATH=str(tools), CXX="")
    assert code == 0 and "which has what is needed; used as it is" in said
    assert set_up(checkout)[0] == 1


@pytest.mark.parametrize("there", ["dangling", "file", "environment"])
def test_what_the_script_did_not_make(checkout, there):
    venv = checkout / ".venv"
    if there == "dangling":
        venv.symlink_to("nowhere")
    elif there == "file":
        venv.write_text("kept")
    else:
        (checkout.parent / "env").rename(venv)
    code, said = set_up(checkout)
    assert code == 1 and said.count("\n") == 1 and "setup: .venv is a" in said and "remove" in said
    assert there != "file" or venv.read_text() == "kept"
    assert there != "environment" or (venv / "package.py").read_text() == "kept"


@pytest.mark.parametrize("left", [".setup-ours", ".setup-stamp", None])
def test_what_it_made_itself_is_made_anew(checkout, left):
    venv = checkout / ".venv"
    if left:
        (checkout.parent / "env").rename(venv)
        (venv / left).write_text("3.1 /old\n")
    code, said = set_up(checkout)
    assert code == 1 and "could not make a virtual environment" in said
    assert [path.name for path in venv.iterdir()] == [".setup-ours"], "and is still known as its own"
