"""The notebooks call and never define, carry no outputs, and run on tiny data."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import run
from datasets.io import read_mask

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
# The fixture with the data of each notebook, and an image in it.
INPUTS = {
    "gaze_annotation/kvasir.ipynb": ("tiny_root", "polyp1"),
    "gaze_annotation/nci_isbi.ipynb": ("tiny_prostate_root", "caseA_15"),
    "preprocess/process_nci-isbi.ipynb": ("tiny_nci_downloads", "Prostate3T-01-0001"),
    "qualitative_results.ipynb": ("tiny_root", "polyp7"),
}
GAZE_NOTEBOOKS = [path for path in NOTEBOOKS if path.parent.name == "gaze_annotation"]
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


@pytest.fixture(scope="module")
def after_the_demo(tmp_path_factory) -> Path:
    """A checkout in which a demo has run, a small one: what ``scripts/demo.sh`` leaves, under the same names."""
    checkout = tmp_path_factory.mktemp("demo") / "checkout"
    checkout.mkdir()
    for path in REPOSITORY.iterdir():
        if path.name not in {"data", "exp", "notebooks"}:
            (checkout / path.name).symlink_to(path)
    shutil.copytree(FOLDER, checkout / "notebooks")
    for data, root in (("kvasir", "data/demo"), ("prostate", "data/demo_prostate")):
        size = ["--num_train", "4", "--num_test", "4"]
        assert run.main(["demo", "--data", data, "--root", str(checkout / root), *size]) == 0
    root = checkout / "data" / "demo"
    prepare = ["prepare", "--data", "kvasir", "--root", str(root), "--fixations", str(root / "fixations.csv")]
    assert run.main([*prepare, "--workers", "1"]) == 0
    small = f"--data kvasir --root {root} --features 4,8,8,8,8,4 -bs 4 --max_ite 1 --spatial_size 32 --device cpu"
    for levels, name in (("1", "gaze_one_level"), ("2", "gaze_two_levels")):
        line = ["train", "--num_levels", levels, "--exp_path", str(checkout / "exp" / "demo" / name), *small.split()]
        assert run.main(line) == 0
    return checkout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_id)
def test_every_notebook_runs_right_after_the_demo(path: Path, after_the_demo: Path, monkeypatch, tmp_path: Path):
    pictures, printed = _execute(after_the_demo / "notebooks" / _id(path), {}, monkeypatch, tmp_path)
    assert pictures == (2 if path.name == "qualitative_results.ipynb" else NUM_PICTURES)
    assert ("Dice against the mask" in printed) == (path in GAZE_NOTEBOOKS)


@pytest.mark.parametrize("path", GAZE_NOTEBOOKS, ids=_id)
def test_gaze_without_masks(path: Path, request, monkeypatch, tmp_path: Path):
    fixture, name = INPUTS[_id(path)]
    root = request.getfixturevalue(fixture)
    (root / "masks").rename(root / "hidden")
    inputs = {"GAZE_ROOT": root, "GAZE_FIXATIONS": root / "fixations.csv", "GAZE_NAME": name}
    pictures, printed = _execute(path, inputs, monkeypatch, tmp_path)
    assert pictures == NUM_PICTURES
    assert "level 2: threshold" in printed and "Dice against the mask" not in printed


def test_the_prostate_set_is_made_from_downloads(tiny_nci_downloads: Path, monkeypatch, tmp_path: Path):
    path = FOLDER / "preprocess" / "process_nci-isbi.ipynb"
    inputs = {"NCI_RAW": tiny_nci_downloads, "NCI_ROOT": tmp_path / "root", "NCI_CASE": INPUTS[_id(path)][1]}
    pictures, printed = _execute(path, inputs, monkeypatch, tmp_path)
    assert pictures == NUM_PICTURES
    assert "6 of 12 slices are kept: 3 to 8" in printed
    assert "made 8 slices of 2 cases\n6 in train.txt, 2 in test.txt" in printed
    assert len(list((tmp_path / "root" / "images").glob("*.dcm"))) == 8


def test_runs_are_compared_and_drawn(tiny_root: Path, monkeypatch, tmp_path: Path):
    path = FOLDER / "qualitative_results.ipynb"
    shutil.copytree(tiny_root / "gaze" / "crf_compat1", tiny_root / "gaze" / "heatmap")
    for name, share in (("a", 1.0), ("b", 0.5)):
        _write_results(tiny_root, tmp_path / name, share)
    inputs = {
        "FIGURE_ROOT": tiny_root,
        "FIGURE_FIXATIONS": tiny_root / "fixations.csv",
        "FIGURE_RUNS": f"all={tmp_path / 'a'};half={tmp_path / 'b'}",
        # The folder itself, with its predictions.
        "FIGURE_WEIGHTS": "",
        "FIGURE_TO": tmp_path / "to",
    }
    pictures, printed = _execute(path, inputs, monkeypatch, tmp_path)
    assert pictures == 2
    # From the lowest of the scores that _write_results gives to the highest.
    assert printed.startswith("polyp7, polyp8, polyp9\noutlines: truth green, all yellow, half light blue\n174 x ")
    assert INPUTS[_id(path)][1] in printed
    files = {"comparison.md", "comparison.csv", "paired.csv", "comparison.png", "comparison.pdf"}
    assert {made.name for made in (tmp_path / "to").iterdir()} == files | {f"figure.{e}" for e in ("pdf", "png", "svg")}


def _write_results(root: Path, folder: Path, share: float) -> None:
    """The masks' upper rows, a share of them, as predictions of a run, with scores that rise by name."""
    (folder / "predictions").mkdir(parents=True)
    lines = ["name,group,level,dice,iou"]
    for index, name in enumerate((root / "test.txt").read_text().split()):
        mask = read_mask(root / "masks" / f"{name}.jpg").astype(np.uint8) * 255
        mask[round(share * len(mask)) :] = 0
        Image.fromarray(mask).save(folder / "predictions" / f"{name}.png")
        lines.append(f"{name},{name},ensemble,{share * (index + 1) / 4},{share * (index + 1) / 5}")
    (folder / "per_case.csv").write_text("\n".join(lines) + "\n")


def _execute(path: Path, inputs: dict, monkeypatch, tmp_path: Path) -> tuple[int, str]:
    """The number of pictures and the printed text of a notebook."""
    for variable, value in {
        **inputs,
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
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    return pictures, "".join(output.text for output in outputs if output.get("name") == "stdout")
