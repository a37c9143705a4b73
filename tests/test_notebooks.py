"""The notebooks call and never define, carry no outputs, and run on tiny data."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
# The fixture with the data of each notebook, and an image in it.
INPUTS = {
    "gaze_annotation/kvasir.ipynb": ("tiny_root", "polyp1"),
    "gaze_annotation/nci_isbi.ipynb": ("tiny_prostate_root", "caseA_15"),
}
NUM_PICTURES = 4
TIMEOUT_S = 120


def _id(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def _code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_every_notebook_has_inputs():
    assert {_id(path) for path in NOTEBOOKS} == set(INPUTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_id)
def test_no_outputs(path: Path):
    for cell in _code_cells(path):
        assert cell.outputs == [] and cell.execution_count is None, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_id)
def test_no_definitions(path: Path):
    for cell in _code_cells(path):
        assert not any(isinstance(node, DEFINITIONS) for node in ast.walk(ast.parse(cell.source))), cell.source


@pytest.mark.parametrize("masks", ["with_masks", "without_masks"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=_id)
def test_runs_and_shows_pictures(path: Path, masks: str, request, monkeypatch, tmp_path: Path):
    fixture, name = INPUTS[_id(path)]
    root = request.getfixturevalue(fixture)
    if masks == "without_masks":
        (root / "masks").rename(root / "hidden")
    for variable, value in {
        "GAZE_ROOT": root,
        "GAZE_FIXATIONS": root / "fixations.csv",
        "GAZE_NAME": name,
        # Nothing of the user's own set-up is read or written.
        "IPYTHONDIR": tmp_path / "ipython",
        "JUPYTER_RUNTIME_DIR": tmp_path / "jupyter",
        # Whatever asked for the network would fail: nothing listens there.
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(variable, str(value))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == NUM_PICTURES
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    assert ("Dice against the mask" in printed) == (masks == "with_masks")
